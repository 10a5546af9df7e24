//! Targets: what a client is to reach, alone or against another in the same run.

use crate::measure::Medians;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    WallSeconds,
    CpuMilliseconds,
    PeakMib,
    Requests,
    /// GETs of files.
    FileGets,
    /// What the folder grew by.
    WrittenMib,
}

/// A target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Its number.
    pub(crate) id: &'static str,
    /// The name of the client that is to reach it.
    pub(crate) who: &'static str,
    pub(crate) quantity: Quantity,
    pub(crate) at_most: f64,
    /// The client whose value is the unit.
    pub(crate) of: Option<&'static str>,
}

/// A client may use so much memory, whatever it does.
const PEAK_MIB: f64 = 48.0;

impl Target {
    /// The time is at most so many times that of another client.
    pub(crate) const fn time(
        id: &'static str,
        who: &'static str,
        at_most: f64,
        of: &'static str,
    ) -> Self {
        Self { id, who, quantity: Quantity::WallSeconds, at_most, of: Some(of) }
    }

    /// A quantity has a bound of its own.
    pub(crate) const fn bound(
        id: &'static str,
        who: &'static str,
        quantity: Quantity,
        at_most: f64,
    ) -> Self {
        Self { id, who, quantity, at_most, of: None }
    }

    /// The bound of memory that holds in every case.
    pub(crate) const fn memory(who: &'static str) -> Self {
        Self::bound("T7", who, Quantity::PeakMib, PEAK_MIB)
    }

    /// Says whether it is met.
    pub(crate) fn verdict(&self, medians: &[(&str, Medians)]) -> String {
        let value = |who: &str| {
            let (_, medians) = medians.iter().find(|(name, _)| *name == who)?;
            Some(medians.value(self.quantity))
        };
        let unit = match self.of {
            Some(of) => format!("× {of}"),
            None => match self.quantity {
                Quantity::WallSeconds => "s".to_owned(),
                Quantity::CpuMilliseconds => "ms of CPU".to_owned(),
                Quantity::PeakMib => "MiB at the peak".to_owned(),
                Quantity::Requests => "requests".to_owned(),
                Quantity::FileGets => "GETs of files".to_owned(),
                Quantity::WrittenMib => "MiB on the disk".to_owned(),
            },
        };
        let (id, who, at_most) = (self.id, self.who, self.at_most);
        let measured = match self.of {
            None => value(who),
            Some(of) => value(who).zip(value(of)).map(|(own, other)| own / other),
        };
        match measured {
            None => format!("{id} {who}: not measured (≤ {at_most:.3} {unit})"),
            Some(it) if it <= at_most => {
                format!("{id} {who}: **met** {it:.3} ≤ {at_most:.3} {unit}")
            }
            Some(it) => format!("{id} {who}: **missed** {it:.3} > {at_most:.3} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own_s: f64, other_s: f64, expected: &str) {
        let medians = |wall_s| Medians { wall_s, ..Medians::default() };
        let measured = [("hubstow", medians(own_s)), ("limit", medians(other_s))];
        assert_eq!(Target::time("T1", "hubstow", 1.15, "limit").verdict(&measured), expected);
    }

    #[test]
    fn a_target_is_a_ratio_in_one_run() {
        check(1.1, 1.0, "T1 hubstow: **met** 1.100 ≤ 1.150 × limit");
        check(3.0, 2.0, "T1 hubstow: **missed** 1.500 > 1.150 × limit");
        let nobody = Target::time("T1", "hubstow", 1.15, "limit").verdict(&[]);
        assert_eq!(nobody, "T1 hubstow: not measured (≤ 1.150 × limit)");
    }
}
