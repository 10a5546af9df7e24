//! A treemap: rectangles as large as what they stand for, as square as can be (Bruls, Huizing and van Wijk, 2000).

use serde::Serialize;

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    /// Returns what is left within a margin, which is larger at the top.
    pub(super) fn inside(self, margin: f64, top: f64) -> Self {
        Self {
            x: self.x + margin,
            y: self.y + top,
            width: (self.width - 2.0 * margin).max(0.0),
            height: (self.height - top - margin).max(0.0),
        }
    }

    fn shorter(self) -> f64 {
        self.width.min(self.height)
    }

    /// Cuts a row off along the shorter side, and returns it and the rest.
    fn cut(self, area: f64) -> (Self, Self) {
        let depth = if self.shorter() > 0.0 { area / self.shorter() } else { 0.0 };
        if self.width >= self.height {
            let depth = depth.min(self.width);
            let rest = Self { x: self.x + depth, width: self.width - depth, ..self };
            (Self { width: depth, ..self }, rest)
        } else {
            let depth = depth.min(self.height);
            let rest = Self { y: self.y + depth, height: self.height - depth, ..self };
            (Self { height: depth, ..self }, rest)
        }
    }

    /// Cuts a part of a row off along the longer side of what the row was cut from.
    fn share(self, along: Along, length: f64) -> (Self, Self) {
        match along {
            Along::Width => {
                let rest = Self { x: self.x + length, width: self.width - length, ..self };
                (Self { width: length, ..self }, rest)
            }
            Along::Height => {
                let rest = Self { y: self.y + length, height: self.height - length, ..self };
                (Self { height: length, ..self }, rest)
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Along {
    Width,
    Height,
}

/// Lays sizes out in a rectangle, each with the area that it has of the whole, in their order. Largest first is squarest.
pub(super) fn lay_out(sizes: &[u64], into: Rect) -> Vec<Rect> {
    let total: f64 = sizes.iter().map(|size| *size as f64).sum();
    let scale = if total > 0.0 { into.width * into.height / total } else { 0.0 };
    let areas: Vec<f64> = sizes.iter().map(|size| *size as f64 * scale).collect();
    let (mut laid, mut left, mut from) = (Vec::with_capacity(areas.len()), into, 0);
    while from < areas.len() {
        let rest = areas.get(from..).unwrap_or_default();
        let count = row_len(rest, left.shorter());
        let row = rest.get(..count).unwrap_or_default();
        let area: f64 = row.iter().sum();
        let along = if left.width >= left.height { Along::Height } else { Along::Width };
        let length = left.shorter();
        let (mut strip, rest) = left.cut(area);
        for part in row {
            let share = if area > 0.0 { length * part / area } else { 0.0 };
            let (one, more) = strip.share(along, share);
            laid.push(one);
            strip = more;
        }
        left = rest;
        from += count;
    }
    laid
}

/// Returns how many go into a row along a side: as many as make its worst rectangle squarer.
fn row_len(areas: &[f64], side: f64) -> usize {
    let (mut sum, mut least, mut most, mut worst) = (0.0, f64::INFINITY, 0.0_f64, f64::INFINITY);
    for (count, area) in areas.iter().enumerate() {
        let (sum_now, least_now, most_now) = (sum + area, area.min(least), area.max(most));
        let square = sum_now * sum_now;
        let ratio = |area: f64| {
            if square <= 0.0 || area <= 0.0 {
                return f64::INFINITY;
            }
            let stretch = side * side * area / square;
            stretch.max(1.0 / stretch)
        };
        let now = ratio(least_now).max(ratio(most_now));
        if count > 0 && now > worst {
            return count;
        }
        (sum, least, most, worst) = (sum_now, least_now, most_now, now);
    }
    areas.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Rect = Rect { x: 0.0, y: 0.0, width: 1000.0, height: 560.0 };

    #[test]
    fn every_area_is_what_it_stands_for_and_none_overlaps_another_or_leaves_the_whole() {
        let mut random = fastrand::Rng::with_seed(3);
        for count in [1, 2, 3, 7, 40, 300] {
            let mut sizes: Vec<u64> = (0..count).map(|_| 1 << random.u64(0..30)).collect();
            sizes.sort_by_key(|size| std::cmp::Reverse(*size));
            let total: u64 = sizes.iter().sum();
            let laid = lay_out(&sizes, WHOLE);
            assert_eq!(laid.len(), sizes.len());
            for (rect, size) in laid.iter().zip(&sizes) {
                let expected = *size as f64 / total as f64 * WHOLE.width * WHOLE.height;
                assert!(
                    (rect.width * rect.height - expected).abs() < 0.5,
                    "{rect:?} for {expected}"
                );
                assert!(rect.x > -0.01 && rect.x + rect.width < WHOLE.width + 0.01, "{rect:?}");
                assert!(rect.y > -0.01 && rect.y + rect.height < WHOLE.height + 0.01, "{rect:?}");
            }
            for (place, one) in laid.iter().enumerate() {
                for other in laid.iter().skip(place + 1) {
                    let width = (one.x + one.width).min(other.x + other.width) - one.x.max(other.x);
                    let height =
                        (one.y + one.height).min(other.y + other.height) - one.y.max(other.y);
                    assert!(width < 0.01 || height < 0.01, "{one:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn equal_sizes_are_nearly_square() {
        for rect in lay_out(&[5; 24], WHOLE) {
            let ratio = rect.width / rect.height;
            assert!((0.5..2.0).contains(&ratio), "{rect:?}");
        }
    }

    #[test]
    fn nothing_has_no_area() {
        assert!(lay_out(&[], WHOLE).is_empty());
        for rect in
            lay_out(&[0, 0], WHOLE).into_iter().chain(lay_out(&[4, 0], WHOLE).into_iter().skip(1))
        {
            assert!(rect.width * rect.height < 0.01, "{rect:?}");
        }
    }
}
