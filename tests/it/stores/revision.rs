//! What every store of rows promises of single values that change: only those change, all else stays, and the rows can still
//! be taken out.

use crate::stores::contract::{StoreUnderTest, holds, ids_of, plant, read, same, withdraw};
use std::collections::BTreeMap;
use telltale::{
    domain::placement::Planting,
    stores::store::{NewPlanting, Placed, Revision},
};

/// Changes a value of some rows, and changes it back.
pub async fn revises(house: &mut dyn StoreUnderTest) {
    let Some(column) = house.free_column() else { return };
    let store = house.fresh().await;
    let before = house.dump().await;
    let ordinary = read(&*store, &[]).await;
    let plantings: Vec<NewPlanting> = (0..4)
        .map(|number| {
            let mut new = house.planting(number);
            if let Planting::Row(row) = &mut new.planting {
                row.insert(column.to_owned(), "first".to_owned());
            }
            new
        })
        .collect();
    let placed = plant(&*store, &plantings).await;
    let planted = house.dump().await;
    house.remove_by_another(&placed[3]).await;
    let to = |placed: &[Placed], value: &str| -> Vec<Revision> {
        let changes = BTreeMap::from([(column.to_owned(), value.to_owned())]);
        placed.iter().map(|one| Revision { placed: one.clone(), changes: changes.clone() }).collect()
    };
    let mut now = placed.clone();
    for value in ["say \"cheese\"; a,b", "second", "first"] {
        let chosen = [now[0].clone(), now[1].clone(), now[3].clone()];
        let locators = store.revise(&to(&chosen, value)).await.unwrap_or_else(|error| panic!("revise: {error}"));
        assert_eq!(locators.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false], "one is gone");
        for (index, locator) in locators.into_iter().take(2).enumerate() {
            now[index].locator = locator.unwrap();
            if let Planting::Row(row) = &mut now[index].planting {
                row.insert(column.to_owned(), value.to_owned());
            }
        }
        let all = read(&*store, &[]).await;
        assert_eq!(all.len(), ordinary.len() + 3);
        for one in &now[..3] {
            assert!(holds(&all[&one.locator], &one.planting), "read shows {value:?} where revise says");
        }
        assert!(ordinary.iter().all(|(locator, row)| all.get(locator) == Some(row)), "nothing else is touched");
    }
    assert!(store.revise(&[]).await.unwrap_or_else(|error| panic!("revise none: {error}")).is_empty());
    assert_eq!(withdraw(&*store, &now[..3]).await, ids_of(&now[..3]));
    same(&before, &house.dump().await, "revised, and revised back, and withdrawn");
    assert_ne!(before, planted);
}
