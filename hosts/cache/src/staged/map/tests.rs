use super::*;

const BOOT: &str = "1f0d7f3e-0000-4000-8000-000000000001";
const OTHER_BOOT: &str = "1f0d7f3e-0000-4000-8000-000000000002";
const SIZE: u64 = 1 << 30;

fn subject() -> Subject {
    Subject { etag: Etag::parse("ab12").unwrap(), nonce: Nonce::from_bits(7), size: SIZE }
}

fn any_ranges(random: &mut fastrand::Rng) -> Intervals {
    let range = |random: &mut fastrand::Rng| {
        let start = random.u64(0..SIZE);
        start..random.u64(start..=SIZE)
    };
    (0..random.usize(0..5)).map(|_| range(random)).collect()
}

/// A record as it grows: its text, and what it says after each line.
struct Grown {
    text: String,
    /// Where each line ends, and what holds then.
    steps: Vec<(usize, Held)>,
}

fn grown(random: &mut fastrand::Rng, of: &Subject, boot: Option<&str>) -> Grown {
    let mut held = Held { all: any_ranges(random), synced: Intervals::default() };
    let mut line = Line::first(of, boot, &held.all);
    let mut grown = Grown { text: String::new(), steps: Vec::new() };
    for _ in 0..random.usize(1..8) {
        grown.text.push_str(&line.text);
        grown.steps.push((grown.text.len(), held.clone()));
        let word = if random.bool() { Word::Held } else { Word::Synced };
        let said_of = any_ranges(random);
        held.all.extend(said_of.iter());
        if word == Word::Synced {
            held.synced.extend(said_of.iter());
        }
        line = Line::after(line.chain, word, &said_of);
    }
    grown
}

impl Grown {
    /// What the lines say that are whole within so many bytes.
    fn within(&self, len: usize) -> Record {
        let step = self.steps.iter().rev().find(|(end, _)| *end <= len);
        step.map_or(Record::Unbegun, |(_, held)| Record::Begun(held.clone()))
    }
}

#[test]
fn what_was_written_is_read_again_and_a_torn_end_does_not_count() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (of, boot) = (subject(), random.bool().then_some(BOOT));
        let grown = grown(&mut random, &of, boot);
        for len in 0..=grown.text.len() {
            let read = Record::read(&grown.text.as_bytes()[..len], &of, boot);
            assert_eq!(read, grown.within(len), "{seed}, {len} of\n{}", grown.text);
        }
    }
}

#[test]
fn of_another_boot_only_what_was_synced_counts() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let of = subject();
        for (written, read) in
            [(Some(BOOT), Some(OTHER_BOOT)), (Some(BOOT), None), (None, Some(BOOT))]
        {
            let grown = grown(&mut random, &of, written);
            let synced = grown.steps.last().unwrap().1.synced.clone();
            let expected = Record::Begun(Held { all: synced.clone(), synced });
            assert_eq!(Record::read(grown.text.as_bytes(), &of, read), expected, "{seed}");
        }
    }
}

#[test]
fn a_record_of_another_file_says_nothing() {
    let (of, mut random) = (subject(), fastrand::Rng::with_seed(1));
    let grown = grown(&mut random, &of, Some(BOOT));
    let others = [
        Subject { etag: Etag::parse("ab13").unwrap(), ..of.clone() },
        Subject { nonce: Nonce::from_bits(8), ..of.clone() },
        Subject { size: SIZE - 1, ..of.clone() },
    ];
    for other in others {
        let read = Record::read(grown.text.as_bytes(), &other, Some(BOOT));
        assert_eq!(read, Record::Begun(Held::default()), "{other:?}");
    }
}

#[test]
fn a_flipped_bit_ends_what_counts_at_its_line() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let of = subject();
        let grown = grown(&mut random, &of, Some(BOOT));
        for at in 0..grown.text.len() {
            let mut flipped = grown.text.clone().into_bytes();
            flipped[at] ^= 1 << random.u32(0..8);
            let read = Record::read(&flipped, &of, Some(BOOT));
            let mut expected = grown.within(at);
            // A first line that is broken is not one that was never ended, unless nothing is left that ends it.
            if expected == Record::Unbegun && flipped.contains(&b'\n') {
                expected = Record::Begun(Held::default());
            }
            assert_eq!(read, expected, "{seed}, byte {at} of\n{}", grown.text);
        }
    }
}

#[test]
fn lines_that_are_left_out_repeated_or_taken_from_elsewhere_do_not_count() {
    let of = subject();
    let (one, two) = (Intervals::from(5..9), Intervals::from(20..30));
    let first = Line::first(&of, Some(BOOT), &one);
    let second = Line::after(first.chain, Word::Held, &two);
    let third = Line::after(second.chain, Word::Held, &Intervals::prefix(2));
    let elsewhere = Line::first(&Subject { size: 77, ..of.clone() }, Some(BOOT), &one);
    let strange = Line::after(elsewhere.chain, Word::Held, &two);
    let read = |lines: &[&Line]| {
        let text: String = lines.iter().map(|line| line.text.as_str()).collect();
        match Record::read(text.as_bytes(), &of, Some(BOOT)) {
            Record::Begun(held) => held.all.total_bytes(),
            Record::Unbegun => 0,
        }
    };
    assert_eq!(read(&[&first, &second, &third]), 16);
    for (lines, total) in [
        (&[&first, &third][..], 4),
        (&[&first, &second, &second, &third], 14),
        (&[&first, &strange, &second], 4),
        (&[&second, &first], 0),
    ] {
        assert_eq!(read(lines), total);
    }
}

#[test]
fn ranges_that_no_file_has_are_no_ranges() {
    for text in ["", "5", "5-", "-5", "5-5", "6-5", "0-1,", "0-1,,2-3", "0-101", " 0-1", "a-b"] {
        assert_eq!(parse_ranges(text, 100), None, "{text}");
    }
    assert_eq!(parse_ranges("0-100", 100), Some(Intervals::prefix(100)));
    assert_eq!(parse_ranges("-", 100), Some(Intervals::default()));
}
