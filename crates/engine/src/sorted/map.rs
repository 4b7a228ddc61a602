//! The map.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, Index, RangeBounds};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::iter::{Iter, IterMut};

/// A map whose entries are a list in ascending order of their keys. Looking up takes time by the logarithm of the
/// length; inserting and removing move what follows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortedMap<K, V> {
    pub(super) entries: Vec<(K, V)>,
}

impl<K, V> SortedMap<K, V> {
    /// A map without entries; it has no memory of its own yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// How many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in ascending order of their keys, as all that follow.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.entries.iter())
    }

    /// The entries, with values that can be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut(self.entries.iter_mut())
    }

    /// The keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> + ExactSizeIterator {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The keys alone, for good.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> + ExactSizeIterator {
        self.entries.into_iter().map(|(key, _)| key)
    }

    /// The values alone, for good.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> + ExactSizeIterator {
        self.entries.into_iter().map(|(_, value)| value)
    }

    /// The entry with the least key.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The entry with the greatest key.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// Takes the entry with the greatest key out.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        self.entries.pop()
    }

    /// Keeps only the entries that `keep` holds for.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    /// Takes all entries out.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.place_of(key).ok()?;
        self.entries.get(place).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place_of(key).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Whether a key has a value.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place_of(key).is_ok()
    }

    /// Gives a key a value, and gives back the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place_of(&key) {
            Ok(place) => {
                let known = self.entries.get_mut(place)?;
                Some(std::mem::replace(&mut known.1, value))
            }
            Err(place) => {
                self.entries.insert(place, (key, value));
                None
            }
        }
    }

    /// Takes a key and its value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place_of(key).ok()?;
        Some(self.entries.remove(place).1)
    }

    /// The place of a key, whether it has a value or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry {
            place: self.place_of(&key),
            entries: &mut self.entries,
            key,
        }
    }

    /// The entries whose keys are in a range.
    pub fn range(&self, range: impl RangeBounds<K>) -> Iter<'_, K, V> {
        let from = match range.start_bound() {
            Bound::Included(first) => self.entries.partition_point(|(key, _)| key < first),
            Bound::Excluded(before) => self.entries.partition_point(|(key, _)| key <= before),
            Bound::Unbounded => 0,
        };
        let until = match range.end_bound() {
            Bound::Included(last) => self.entries.partition_point(|(key, _)| key <= last),
            Bound::Excluded(after) => self.entries.partition_point(|(key, _)| key < after),
            Bound::Unbounded => self.entries.len(),
        };
        Iter(self.entries.get(from..until).unwrap_or_default().iter())
    }

    /// Takes the entries from `key` on out.
    #[must_use]
    pub fn split_off(&mut self, key: &K) -> Self {
        let place = self.entries.partition_point(|(own, _)| own < key);
        Self {
            entries: self.entries.split_off(place),
        }
    }

    /// Where a key is, or where it would be.
    fn place_of<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries
            .binary_search_by(|(own, _)| own.borrow().cmp(key))
    }
}

impl<K: Ord + Copy, V: Copy> SortedMap<K, V> {
    /// Takes all entries of another map in; where both have a key, `add` puts the other's value to the own one. Each
    /// entry is moved at most once, and the list gets no room that it does not need.
    pub fn merge(&mut self, other: &Self, add: impl Fn(&mut V, V)) {
        let mut missing = Vec::new();
        let mut at = 0;
        for &(key, value) in &other.entries {
            let mine = self.entries.get(at..).unwrap_or_default();
            at += mine.partition_point(|(own, _)| *own < key);
            match self.entries.get_mut(at) {
                Some((own, sum)) if *own == key => add(sum, value),
                _ => missing.push((key, value)),
            }
        }
        self.insert_all(missing);
    }

    /// Adds entries, in ascending order, whose keys are not there yet: from the last to the first.
    fn insert_all(&mut self, mut missing: Vec<(K, V)>) {
        let Some(&filling) = missing.first() else {
            return;
        };
        let mut unmoved = self.entries.len();
        self.entries.reserve_exact(missing.len());
        self.entries.resize(unmoved + missing.len(), filling);
        for to in (0..self.entries.len()).rev() {
            let Some(new) = missing.last() else {
                return; // what is left is where it belongs
            };
            let last = unmoved.checked_sub(1);
            let last = last.and_then(|last| self.entries.get(last).copied());
            let entry = match last.filter(|last| last.0 > new.0) {
                Some(last) => {
                    unmoved -= 1;
                    Some(last)
                }
                None => missing.pop(),
            };
            if let Some((place, entry)) = self.entries.get_mut(to).zip(entry) {
                *place = entry;
            }
        }
    }
}

/// The place of a key in a map, whether it has a value or not.
#[derive(Debug)]
pub struct Entry<'a, K, V> {
    entries: &'a mut Vec<(K, V)>,
    place: Result<usize, usize>, // `Err` is where it would be
    key: K,
}

impl<'a, K, V> Entry<'a, K, V> {
    /// The key's value, which is `value` if it had none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The key's value, which is made if it had none.
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> &'a mut V {
        self.or_insert_with_key(|_| value())
    }

    /// The key's value, which is made of the key if it had none.
    #[expect(
        clippy::indexing_slicing,
        reason = "the place was found, or has just been filled, while the list was borrowed"
    )]
    pub fn or_insert_with_key(self, value: impl FnOnce(&K) -> V) -> &'a mut V {
        let place = match self.place {
            Ok(place) => place,
            Err(place) => {
                let value = value(&self.key);
                self.entries.insert(place, (self.key, value));
                place
            }
        };
        &mut self.entries[place].1
    }

    /// The key's value, which is the default one if it had none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

impl<K: Borrow<Q> + Ord, Q: Ord + ?Sized, V> Index<&Q> for SortedMap<K, V> {
    type Output = V;

    #[expect(
        clippy::expect_used,
        reason = "whoever indexes says that the key is there, as with every other map"
    )]
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key has a value")
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The last one of equal keys stays.
impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

/// The last one of equal keys stays.
impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SortedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Serialize, V: Serialize> Serialize for SortedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for SortedMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = SortedMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = SortedMap::new();
                while let Some((key, value)) = access.next_entry()? {
                    map.insert(key, value);
                }
                Ok(map)
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(feature = "schema")]
impl<K: schemars::JsonSchema, V: schemars::JsonSchema> schemars::JsonSchema for SortedMap<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        std::collections::BTreeMap::<K, V>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<K, V>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What can be done to a map.
    #[derive(Debug, Clone)]
    enum Change {
        Insert(u8, u32),
        Add(u8, u32),
        Remove(u8),
        SplitOff(u8),
        Extend(Vec<(u8, u32)>),
        RetainEven,
        PopLast,
    }

    fn change() -> impl Strategy<Value = Change> {
        (0..20, any::<u8>(), any::<u32>()).prop_map(|(kind, key, value)| match kind {
            0..8 => Change::Insert(key, value),
            8..12 => Change::Add(key, value),
            12..16 => Change::Remove(key),
            16 => Change::SplitOff(key),
            17 => Change::Extend(vec![(key, value), (key / 2, value), (key, value / 2)]),
            18 => Change::RetainEven,
            _ => Change::PopLast,
        })
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_tree_does(
            changes in prop::collection::vec(change(), 0..60), from in any::<u8>(), until in any::<u8>(),
        ) {
            let mut map = SortedMap::new();
            let mut tree = BTreeMap::new();
            for change in changes {
                match change {
                    Change::Insert(key, value) => {
                        prop_assert_eq!(map.insert(key, value), tree.insert(key, value));
                    }
                    Change::Add(key, value) => {
                        let (own, its) = (map.entry(key).or_insert(7), tree.entry(key).or_insert(7));
                        *own = own.wrapping_add(value);
                        *its = its.wrapping_add(value);
                    }
                    Change::Remove(key) => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                    Change::SplitOff(key) => {
                        let (own, its) = (map.split_off(&key), tree.split_off(&key));
                        prop_assert!(own.into_iter().eq(its));
                    }
                    Change::Extend(entries) => {
                        map.extend(entries.clone());
                        tree.extend(entries);
                    }
                    Change::RetainEven => {
                        map.retain(|_, value| *value % 2 == 0);
                        tree.retain(|_, value| *value % 2 == 0);
                    }
                    Change::PopLast => prop_assert_eq!(map.pop_last(), tree.pop_last()),
                }
                prop_assert_eq!(map.get(&from), tree.get(&from));
                prop_assert_eq!(map.contains_key(&until), tree.contains_key(&until));
                prop_assert_eq!(map.first_key_value(), tree.first_key_value());
                prop_assert_eq!(map.last_key_value(), tree.last_key_value());
            }
            prop_assert!(map.iter().eq(&tree));
            prop_assert!(map.iter().rev().eq(tree.iter().rev()));
            prop_assert!(map.range(from..).eq(tree.range(from..)));
            prop_assert!(map.range(..=until).eq(tree.range(..=until)));
            if from <= until {
                prop_assert!(map.range(from..until).eq(tree.range(from..until)));
            }
            let json = serde_json::to_string(&map).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&tree).unwrap());
            prop_assert_eq!(serde_json::from_str::<SortedMap<u8, u32>>(&json).unwrap(), map);
        }
    }
}
