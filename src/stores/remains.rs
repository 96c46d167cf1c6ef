//! Which row of a store is still a canary's, and which may be: decided here for every store of rows, by values alone. A
//! row that may be somebody else's is never called ours.

use crate::{domain::placement::Planting, stores::store::Placed};
use canaries::CanaryId;
use std::collections::HashMap;

/// A value that more canaries than this share tells none of them.
const SHARED: usize = 8;

/// The values by which a planted row is known again.
pub struct Known {
    pub canary: CanaryId,
    /// Column and value of what identifies it: its markers, or all that was given where it has none.
    pub ours: Vec<(String, String)>,
    /// The rest of what was given, without what every canary has.
    pub others: Vec<(String, String)>,
}

/// How a row looks beside what was planted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It holds all that identifies the canary, and half of the rest at least.
    Ours,
    /// It holds some of it, so that it may be the canary's row, edited, or somebody's who was written over it.
    Doubtful {
        /// How many of the identifying values, and of the others, it holds.
        held: (usize, usize),
        /// The columns that hold something else by now.
        columns: Vec<String>,
    },
    /// It is somebody else's.
    Strange,
}

impl Known {
    /// What is known of a planted row; none of a document. Columns that `ignored` names tell nothing: constants, and those
    /// that the store does not have any more or does not show.
    pub fn of(placed: &Placed, ignored: impl Fn(&str) -> bool) -> Option<Known> {
        let Planting::Row(row) = &placed.planting else { return None };
        let given = row.iter().filter(|(_, value)| !value.is_empty());
        let given = given.map(|(column, value)| (column.clone(), value.clone()));
        let is_marker = |column: &String| placed.marker_columns.contains(column);
        let (ours, others): (Vec<_>, Vec<_>) =
            given.filter(|(column, _)| !ignored(column)).partition(|(column, _)| is_marker(column));
        let canary = placed.canary;
        Some(match ours.is_empty() {
            true => Known { canary, ours: others, others: ours },
            false => Known { canary, ours, others },
        })
    }

    /// Every column by which it is known.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.ours.iter().chain(&self.others).map(|(column, _)| column)
    }

    /// Judges a row of which `holds` says whether a column holds a value. `placed` says that it stands where the canary
    /// was planted: elsewhere a row that holds none of its identifiers must be much like it to be doubted.
    pub fn look(&self, placed: bool, holds: impl Fn(&str, &str) -> bool) -> Look {
        let holds = |pair: &&(String, String)| holds(&pair.0, &pair.1);
        let held = (self.ours.iter().filter(holds).count(), self.others.iter().filter(holds).count());
        let others = self.others.len();
        if held.0 == self.ours.len() && held.0 > 0 && held.1 * 2 >= others {
            return Look::Ours;
        }
        let like = match placed {
            true => held.1 > 0 && held.1 * 2 >= others,
            false => held.1 > 1 && held.1 * 3 >= others * 2,
        };
        if held.0 == 0 && !like {
            return Look::Strange;
        }
        let differing = self.ours.iter().chain(&self.others).filter(|pair| !holds(pair));
        Look::Doubtful { held, columns: differing.map(|(column, _)| column.clone()).collect() }
    }
}

/// What a look through a whole store has found of one canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Find<P> {
    /// No row is like it.
    Gone,
    /// This one row is its own.
    Ours(P),
    /// More than one row holds all that identifies it.
    Several,
    /// The likest row holds something else in these columns.
    Altered(Vec<String>),
}

/// Looks for some canaries through every row of a store, one after the other; keeps no row.
pub struct Search<'k, P> {
    sought: Vec<&'k Known>,
    columns: Vec<&'k str>,
    by_value: Vec<HashMap<&'k str, Vec<usize>>>,
    finds: Vec<(Find<P>, (usize, usize))>,
}

impl<'k, P> Search<'k, P> {
    /// Looks for these.
    pub fn new(sought: Vec<&'k Known>) -> Self {
        let mut search = Search { columns: Vec::new(), by_value: Vec::new(), finds: Vec::new(), sought };
        for (index, known) in search.sought.iter().enumerate() {
            search.finds.push((Find::Gone, (0, 0)));
            for (column, value) in known.ours.iter().chain(&known.others) {
                let place = search.columns.iter().position(|name| name == column).unwrap_or_else(|| {
                    search.columns.push(column);
                    search.by_value.push(HashMap::new());
                    search.columns.len() - 1
                });
                search.by_value[place].entry(value).or_default().push(index);
            }
        }
        for (place, values) in search.by_value.iter_mut().enumerate() {
            let (sought, column) = (&search.sought, search.columns[place]);
            let is_own = |index: &usize| sought[*index].ours.iter().any(|(name, _)| name == column);
            values.retain(|_, owners| owners.len() <= SHARED || owners.iter().any(is_own));
        }
        search
    }

    /// The columns that are looked at, in the order of the cells.
    pub fn columns(&self) -> &[&'k str] {
        &self.columns
    }

    /// Looks at a row: the texts of its cells, each with the place of its column. A null has none, and a column of several
    /// values one for each. Rows that were found to be a canary's already are not to be shown.
    pub fn see(&mut self, cells: &[(usize, &str)], place: impl Fn() -> P) {
        let owners = cells.iter().filter_map(|(column, text)| self.by_value[*column].get(text)).flatten();
        let mut like: Vec<usize> = owners.copied().collect();
        like.sort_unstable();
        like.dedup();
        let holds = |name: &str, value: &str| {
            cells.iter().any(|(column, text)| self.columns[*column] == name && *text == value)
        };
        let looks: Vec<(usize, Look)> =
            like.into_iter().map(|index| (index, self.sought[index].look(false, holds))).collect();
        let is_told = looks.iter().any(|(_, look)| matches!(look, Look::Ours | Look::Doubtful { held: (1.., _), .. }));
        for (index, look) in looks {
            let (find, best) = &mut self.finds[index];
            match look {
                // A row with identifiers of one canary is no other's, however alike they are.
                Look::Doubtful { held: (0, _), .. } if is_told => {}
                Look::Strange => {}
                Look::Ours if matches!(find, Find::Ours(_) | Find::Several) => *find = Find::Several,
                Look::Ours => *find = Find::Ours(place()),
                Look::Doubtful { held, columns } => {
                    if matches!(find, Find::Gone) || matches!(find, Find::Altered(_)) && held > *best {
                        (*find, *best) = (Find::Altered(columns), held);
                    }
                }
            }
        }
    }

    /// What was found of each, in the order in which they were sought.
    pub fn finds(self) -> Vec<Find<P>> {
        self.finds.into_iter().map(|(find, _)| find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn known(row: &[(&str, &str)], markers: &[&str]) -> Known {
        let row: BTreeMap<String, String> =
            row.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let placed = Placed {
            canary: CanaryId([1; 10]),
            planting: Planting::Row(row),
            locator: String::new(),
            marker_columns: markers.iter().map(|name| (*name).to_owned()).collect(),
        };
        Known::of(&placed, |column| column == "status").expect("a row")
    }

    fn canary() -> Known {
        let row = [("mail", "c@x"), ("nir", "1"), ("name", "Petit"), ("born", "1984"), ("town", "Lyon")];
        known(&[&row[..], &[("status", "off"), ("note", "")]].concat(), &["mail", "nir"])
    }

    fn look(known: &Known, placed: bool, row: &[(&str, &str)]) -> Look {
        known.look(placed, |column, value| row.contains(&(column, value)))
    }

    #[test]
    fn only_a_row_with_all_identifiers_is_ours() {
        let canary = canary();
        assert_eq!((canary.ours.len(), canary.others.len()), (2, 3), "constants and empty values tell nothing");
        let whole = [("mail", "c@x"), ("nir", "1"), ("name", "Petit"), ("born", "1984"), ("town", "Paris")];
        assert_eq!(look(&canary, false, &whole), Look::Ours);
        let Look::Doubtful { columns, .. } = look(&canary, false, &whole[1..]) else { panic!("a marker is another") };
        assert_eq!(columns, ["mail", "town"]);
        // Somebody who was given the canary's address and number, and nothing else of it.
        let Look::Doubtful { columns, .. } = look(&canary, true, &whole[..2]) else { panic!("a person's row") };
        assert_eq!(columns, ["born", "name", "town"]);
        assert_eq!(look(&canary, true, &[("name", "Petit"), ("status", "off")]), Look::Strange);
    }

    #[test]
    fn without_identifiers_a_row_is_doubted_where_it_was_planted_sooner_than_elsewhere() {
        let canary = canary();
        let two = [("name", "Petit"), ("town", "Lyon")];
        for placed in [true, false] {
            assert!(matches!(look(&canary, placed, &two), Look::Doubtful { held: (0, 2), .. }));
            assert_eq!(look(&canary, placed, &two[1..]), Look::Strange);
        }
        let poor = known(&[("mail", "c@x"), ("name", "Petit")], &["mail"]);
        assert!(matches!(look(&poor, true, &two), Look::Doubtful { .. }));
        assert_eq!(look(&poor, false, &two), Look::Strange, "namesakes are many");
    }

    #[test]
    fn a_search_finds_each_where_it_stands() {
        let canaries: Vec<Known> = (0..20)
            .map(|number| {
                let (mail, name) = (format!("c{number}@x"), format!("Name {number}"));
                known(&[("mail", &mail), ("name", &name), ("born", "1984"), ("town", "Lyon")], &["mail"])
            })
            .collect();
        let mut search = Search::new(canaries.iter().collect());
        let columns: Vec<String> = search.columns().iter().map(|name| (*name).to_owned()).collect();
        let mut see = |place: usize, row: [&str; 4]| {
            let place_of = |name: &str| columns.iter().position(|column| column == name).unwrap();
            let names = ["mail", "name", "born", "town"];
            let cells: Vec<(usize, &str)> = names.iter().zip(row).map(|(name, text)| (place_of(name), text)).collect();
            search.see(&cells, || place);
        };
        see(0, ["c0@x", "Name 0", "1984", "Lyon"]);
        see(1, ["c1@x", "Name 1", "1984", "Paris"]);
        see(2, ["c1@x", "Name 1", "1984", "Lyon"]);
        see(3, ["someone@x", "Name 2", "1984", "Lyon"]);
        see(4, ["someone@x", "Someone", "1984", "Lyon"]);
        see(5, ["c3@x", "Someone", "1990", "Paris"]);
        let finds = search.finds();
        assert_eq!(finds[..3], [Find::Ours(0), Find::Several, Find::Altered(vec!["mail".into()])]);
        assert_eq!(finds[3], Find::Altered(["born", "name", "town"].map(str::to_owned).to_vec()));
        assert!(finds[4..].iter().all(|find| *find == Find::Gone), "what all canaries share tells none of them");
    }
}
