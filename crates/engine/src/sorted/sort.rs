//! Sorting with little code.

/// Puts a list into the order in which no item is less than the one before it; equal ones in any order.
///
/// Of the standard library's sorts each type and order brings a copy of some 3 KB, of this heapsort one of 0.3. It is
/// for what is sorted now and then; what is sorted a thousand times a second is left to the quicker ones.
pub fn sort_by<T>(list: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    for root in (0..list.len() / 2).rev() {
        sift_down(list, root, &is_less);
    }
    for end in (1..list.len()).rev() {
        list.swap(0, end);
        if let Some(heap) = list.get_mut(..end) {
            sift_down(heap, 0, &is_less);
        }
    }
}

/// Moves an item of a heap down to where nothing below it is greater.
fn sift_down<T>(heap: &mut [T], mut parent: usize, is_less: &impl Fn(&T, &T) -> bool) {
    while let Some(left) = heap.get(2 * parent + 1) {
        let mut child = 2 * parent + 1;
        if heap
            .get(child + 1)
            .is_some_and(|right| is_less(left, right))
        {
            child += 1;
        }
        let (Some(item), Some(greater)) = (heap.get(parent), heap.get(child)) else {
            return;
        };
        if !is_less(item, greater) {
            return;
        }
        heap.swap(parent, child);
        parent = child;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(mut list in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut expected = list.clone();
            expected.sort_unstable();
            sort_by(&mut list, |a, b| a < b);
            prop_assert_eq!(list, expected);
        }
    }
}
