//! Targets: what a client is to reach, alone or against another in the same run.

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    WallSeconds,
    WallMilliseconds,
    CpuMilliseconds,
    PeakMib,
    Requests,
    /// GETs of files.
    FileGets,
    /// What the folder grew by.
    WrittenMib,
    FirstByteMilliseconds,
    /// What a server holds when it has answered.
    HeldMib,
}

/// What has been measured.
pub(crate) trait Quantities {
    /// Returns a quantity in its unit, where it was measured.
    fn value(&self, quantity: Quantity) -> Option<f64>;
}

impl Quantity {
    fn name(self) -> &'static str {
        match self {
            Self::WallSeconds => "s",
            Self::WallMilliseconds => "ms",
            Self::CpuMilliseconds => "ms of CPU",
            Self::PeakMib => "MiB at the peak",
            Self::Requests => "requests",
            Self::FileGets => "GETs of files",
            Self::WrittenMib => "MiB on the disk",
            Self::FirstByteMilliseconds => "ms to the first byte",
            Self::HeldMib => "MiB held",
        }
    }
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
    pub(crate) against: Against,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    /// Nothing: it has a bound of its own.
    Nothing,
    /// The value of this client is the unit.
    Ratio(&'static str),
    /// The value of this client is taken off.
    Difference(&'static str),
}

/// A client may use so much memory, whatever it does.
pub(crate) const PEAK_MIB: f64 = 48.0;

impl Target {
    /// The time is at most so many times that of another client.
    pub(crate) const fn time(
        id: &'static str,
        who: &'static str,
        at_most: f64,
        of: &'static str,
    ) -> Self {
        Self { id, who, quantity: Quantity::WallSeconds, at_most, against: Against::Ratio(of) }
    }

    /// The time is at most so many milliseconds more than that of another client.
    pub(crate) const fn more_ms(
        id: &'static str,
        who: &'static str,
        at_most_ms: f64,
        than: &'static str,
    ) -> Self {
        let (quantity, against) = (Quantity::WallMilliseconds, Against::Difference(than));
        Self { id, who, quantity, at_most: at_most_ms, against }
    }

    /// The time to the first byte is at most so many times that of another.
    pub(crate) const fn first_byte(
        id: &'static str,
        who: &'static str,
        at_most: f64,
        of: &'static str,
    ) -> Self {
        let (quantity, against) = (Quantity::FirstByteMilliseconds, Against::Ratio(of));
        Self { id, who, quantity, at_most, against }
    }

    /// The time to the first byte is at most so many milliseconds more than that of another.
    pub(crate) const fn first_byte_more(
        id: &'static str,
        who: &'static str,
        at_most_ms: f64,
        than: &'static str,
    ) -> Self {
        let (quantity, against) = (Quantity::FirstByteMilliseconds, Against::Difference(than));
        Self { id, who, quantity, at_most: at_most_ms, against }
    }

    /// A quantity has a bound of its own.
    pub(crate) const fn bound(
        id: &'static str,
        who: &'static str,
        quantity: Quantity,
        at_most: f64,
    ) -> Self {
        Self { id, who, quantity, at_most, against: Against::Nothing }
    }

    /// The bound of memory that holds in every case.
    pub(crate) const fn memory(who: &'static str) -> Self {
        Self::bound("T7", who, Quantity::PeakMib, PEAK_MIB)
    }

    /// Tells whether it is a comparison with this client.
    pub(crate) fn is_against(&self, client: &str) -> bool {
        match self.against {
            Against::Nothing => false,
            Against::Ratio(it) | Against::Difference(it) => it == client,
        }
    }

    /// Says whether it is met.
    pub(crate) fn verdict<Q: Quantities>(&self, medians: &[(&str, Q)]) -> String {
        let value = |who: &str| {
            let (_, medians) = medians.iter().find(|(name, _)| *name == who)?;
            medians.value(self.quantity)
        };
        let name = self.quantity.name();
        let unit = match self.against {
            Against::Ratio(of) => format!("× {of}"),
            Against::Difference(than) => format!("{name} more than {than}"),
            Against::Nothing => name.to_owned(),
        };
        let (id, who, at_most) = (self.id, self.who, self.at_most);
        let measured = match self.against {
            Against::Nothing => value(who),
            Against::Ratio(of) => value(who).zip(value(of)).map(|(own, other)| own / other),
            Against::Difference(than) => {
                value(who).zip(value(than)).map(|(own, other)| own - other)
            }
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
impl Against {
    /// Returns the client that is compared with.
    pub(crate) fn client(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Ratio(client) | Self::Difference(client) => Some(client),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Medians;

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
        let medians = |wall_s| Medians { wall_s, ..Medians::default() };
        let measured = [("component", medians(0.012)), ("linked", medians(0.010))];
        let verdict = Target::more_ms("T9", "component", 30.0, "linked").verdict(&measured);
        assert_eq!(verdict, "T9 component: **met** 2.000 ≤ 30.000 ms more than linked");
        let nobody = Target::time("T1", "hubstow", 1.15, "limit").verdict::<Medians>(&[]);
        assert_eq!(nobody, "T1 hubstow: not measured (≤ 1.150 × limit)");
    }
}
