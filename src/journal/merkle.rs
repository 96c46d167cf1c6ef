//! The Merkle tree over the entries (RFC 6962 hashing), kept as the roots of its perfect subtrees: it grows by one
//! leaf at a time and never holds the leaves.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// A tree that can grow and tell its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Roots of the perfect subtrees, largest first: one for each bit that is set in `size`.
    peaks: Vec<Hash>,
}

impl Tree {
    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a peak for each bit of the size");
            hash = node(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root hash.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Sha256::digest([]).into(),
            Some(last) => peaks.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// A whole tree, for telling how its leaves lie in it.
pub struct Whole {
    /// The leaves, then each level above them. A last node without a sibling rises as it is, which gives RFC 6962's tree.
    levels: Vec<Vec<Hash>>,
}

impl Whole {
    /// The tree over these leaves.
    pub fn of(leaves: Vec<Hash>) -> Whole {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let pair = |pair: &[Hash]| match pair {
                [left, right] => node(left, right),
                [alone, ..] => *alone,
                [] => unreachable!("chunks are never empty"),
            };
            levels.push(below.chunks(2).map(pair).collect());
        }
        Whole { levels }
    }

    /// The root hash.
    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_else(|| Sha256::digest([]).into())
    }

    /// The inclusion proof of the leaf at this index: siblings, from the leaf's to the one below the root.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        let siblings = self.levels.iter().enumerate().map(|(height, level)| level.get((index >> height) ^ 1));
        siblings.flatten().copied().collect()
    }

    /// The proof that the tree of the first `old` leaves is how this one begins (RFC 6962 §2.1.2); empty where there is
    /// nothing to prove. None where the tree has not so many.
    pub fn consistency(&self, old: usize) -> Option<Vec<Hash>> {
        let size = self.levels[0].len();
        if old == 0 || old >= size {
            return (old <= size).then(Vec::new);
        }
        // The highest node that ends where the old tree did: proven beside its siblings, as a leaf's path is.
        let (mut height, mut index) = (0, old - 1);
        while index % 2 == 1 {
            (height, index) = (height + 1, index / 2);
        }
        // Where it is the whole old tree, its root is known.
        let known = index == 0;
        let begun = (!known).then(|| self.levels[height][index]);
        let siblings = (height..self.levels.len()).map(|level| self.levels[level].get((index >> (level - height)) ^ 1));
        Some(begun.into_iter().chain(siblings.flatten().copied()).collect())
    }
}

/// The root to which an inclusion proof leads; none where the proof has another length than its place in the tree asks.
pub fn led_to(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut hash, mut at, mut last) = (leaf, index, size - 1);
    let mut siblings = path.iter();
    while last > 0 {
        if at % 2 == 1 {
            hash = node(siblings.next()?, &hash);
        } else if at < last {
            hash = node(&hash, siblings.next()?);
        }
        at /= 2;
        last /= 2;
    }
    siblings.next().is_none().then_some(hash)
}

/// Hash of a leaf's content.
pub fn leaf(content: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(content).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    /// The reference vectors of the Certificate Transparency code (RFC 6962 trees of one to eight leaves).
    #[test]
    fn agrees_with_the_reference_vectors() {
        let leaves =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        assert_eq!(HEXLOWER.encode(&tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (content, root) in leaves.iter().zip(roots) {
            tree.push(leaf(&HEXLOWER.decode(content.as_bytes()).unwrap()));
            assert_eq!(HEXLOWER.encode(&tree.root()), root, "of {} leaves", tree.size());
        }
    }

    /// RFC 6962 §2.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    /// RFC 6962 §2.1.2, word for word.
    fn proof_by_definition(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![by_definition(leaves)] };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut proof, other) = match old <= left.len() {
            true => (proof_by_definition(old, left, whole), right),
            false => (proof_by_definition(old - left.len(), right, false), left),
        };
        proof.push(by_definition(other));
        proof
    }

    #[test]
    fn what_goes_on_from_a_smaller_tree_is_proven_as_defined() {
        for count in 1..40usize {
            let leaves: Vec<Hash> = (0..count).map(|n| leaf(&n.to_le_bytes())).collect();
            let whole = Whole::of(leaves.clone());
            for old in 1..=count {
                let proof = whole.consistency(old).unwrap();
                assert_eq!(proof, proof_by_definition(old, &leaves, true), "{old} of {count}");
            }
            assert_eq!((whole.consistency(0), whole.consistency(count + 1)), (Some(Vec::new()), None));
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(count in 0usize..300) {
            let leaves: Vec<Hash> = (0..count).map(|n| leaf(&n.to_le_bytes())).collect();
            let mut tree = Tree::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            prop_assert_eq!(tree.root(), by_definition(&leaves));
        }

        #[test]
        fn every_leaf_is_proven_at_its_own_place_only(count in 1usize..70, at in any::<prop::sample::Index>()) {
            let leaves: Vec<Hash> = (0..count).map(|n| leaf(&n.to_le_bytes())).collect();
            let whole = Whole::of(leaves.clone());
            let (root, at, size) = (by_definition(&leaves), at.index(count), count as u64);
            prop_assert_eq!(whole.root(), root);
            let path = whole.path(at);
            prop_assert_eq!(led_to(leaves[at], at as u64, size, &path), Some(root));
            for other in (0..size + 2).filter(|other| *other != at as u64) {
                prop_assert_ne!(led_to(leaves[at], other, size, &path), Some(root));
            }
            if let Some((_, short)) = path.split_last() {
                prop_assert_eq!(led_to(leaves[at], at as u64, size, short), None);
            }
            prop_assert_eq!(led_to(leaves[at], at as u64, size, &[path, vec![root]].concat()), None);
        }
    }
}
