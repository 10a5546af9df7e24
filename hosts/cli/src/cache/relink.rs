//! `hubstow cache relink`: converting what is there to the methods of a policy.

mod words;

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use hubstow_client::{
    Error, ErrorKind,
    care::{
        CacheDir, Inventory, KeptOut, Skip,
        relink::{Because, Progress, RelinkRequest, Relinked, Relinking, Tell},
    },
};
use hubstow_core::policy::Policy;

use self::words::{Report, Tense, for_people, left_words, skip_words};
use super::{
    WhichCache,
    ask::{Question, wanted},
    target,
};
use crate::{
    global::{Format, Global},
    hub_args::{PartsOf, Placement},
    output::{self, GOOD, styled},
};

/// How many entries of a kind are named.
const NAMED: usize = 20;
/// How often it is told how far hashing has come.
const TOLD_EVERY: Duration = Duration::from_millis(200);

/// Make links of copies, or copies of links
///
/// Converts the whole cache, or the repos you name, to what a download with this placement would have made. Copies become links
/// (`compat`, `dedup`, `nas`, `strict`), and links become files (`portable`, before you carry the cache to a disk without links).
/// Links that another program has broken work again, where their content is still in the repo.
///
/// A file says nothing of what it should hold, where a link names its blob: of files without a kept listing that knowledge goes with
/// `portable`, and the plan counts them.
///
/// Two files count as equal when their hashes say so. What is damaged, in use or unknown stays as it is. The bytes that are told
/// are those of files, each counted once.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache relink --placement compat --dry-run       how much that would free
  hubstow cache relink --placement compat --yes
  hubstow cache relink openai-community/gpt2 --placement portable
  hubstow cache relink --placement dedup --across         equal files of different repos become one")]
pub(super) struct RelinkArgs {
    /// The repos (org/name, dataset/org/name, hf://…); all of them if none is named
    #[arg(value_name = "REPO")]
    repos: Vec<String>,
    /// What there is to be in the end
    #[arg(long, value_enum, value_name = "POLICY")]
    placement: Placement,
    /// Let equal blobs of different repos become one file, by hard link or reflink; `dedup` and `nas` allow that
    #[arg(long)]
    across: bool,
    /// Show what would be converted, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    which: WhichCache,
}

/// Plans, shows, asks and converts.
pub(super) fn run(args: &RelinkArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let (policy, format) = (Policy::from(args.placement), global.format());
    let shares = policy.ladder().contains(&hubstow_core::policy::Method::Hardlink);
    if args.across && !shares {
        let what = format!("`{policy}` shares nothing between repos, so --across says nothing");
        return Err(Error::new(ErrorKind::Usage, what)
            .hint("--placement dedup and --placement nas allow it"));
    }
    let cache = args.which.open(parts)?;
    let inventory = cache.inventory()?;
    let sums = inventory.sums();
    let mut repos = Vec::new();
    for text in &args.repos {
        let target = target::find(text, &sums)?;
        if target.revisions.is_some() || target.file.is_some() {
            let what = format!("`{text}` is not a whole repo");
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("files and revisions share their blobs, so only whole repos are converted"));
        }
        repos.push(target.repo.id);
    }
    let request = RelinkRequest::new(policy).across(args.across).repos(repos).dry_run(args.dry_run);
    let bar = Bar::new(format);
    let planned = cache.plan_relink(&inventory, &request, &bar.tell());
    bar.clear();
    let planned = planned?;
    if planned.plan.left.iter().any(|left| left.because == Because::NoMethod) {
        let what =
            format!("every method that `{policy}` allows is refused in this cache directory");
        return Err(Error::new(ErrorKind::NoMethodLeft, what)
            .hint("`hubstow env` shows what works here; `dedup` takes the best that does"));
    }
    Converting { cache, inventory, planned, request, format }.settle(args.yes)
}

/// A conversion on its way.
struct Converting {
    cache: CacheDir,
    inventory: Inventory,
    planned: Relinking,
    request: RelinkRequest,
    format: Format,
}

impl Converting {
    fn settle(&self, yes: bool) -> Result<(), Error> {
        let (plan, format) = (&self.planned.plan, self.format);
        if format != Format::Json {
            self.tell_left();
        }
        if self.planned.unlisted > 0 && format != Format::Json {
            let files = output::counted(self.planned.unlisted, "file");
            let what = format!(
                "of {files} only the name of the blob says what they should hold, and that name goes: \
                 `hubstow cache verify` can't prove them any more. `hubstow download` of the whole \
                 revision keeps a listing, which says it as well"
            );
            output::say(output::warning(format, &what));
        }
        if plan.steps.is_empty() || self.request.dry_run {
            return self.show();
        }
        let question = Question {
            plan: &for_people(&self.inventory, plan),
            asked: "Convert this?",
            undone: "nothing was converted",
            hint: "--yes goes on without asking, --dry-run shows what would become of it",
        };
        if !wanted(yes, format, &question)? {
            return Err(Error::new(ErrorKind::Other, question.undone));
        }
        let done = self.cache.execute_relink(&self.inventory, &self.planned, |_| {});
        self.report(&done)
    }

    fn new_report(&self) -> Report<'_> {
        Report::of(&self.inventory, &self.request, &self.planned)
    }

    /// Shows the plan as the result.
    fn show(&self) -> Result<(), Error> {
        let plan = &self.planned.plan;
        match self.format {
            Format::Json => {
                let report = self.new_report().planned(&self.inventory, &self.planned);
                output::json(&report)
            }
            Format::Quiet => output::line(plan.freed_bytes),
            Format::Human if plan.steps.is_empty() => output::line("Nothing to convert."),
            Format::Human => output::line(for_people(&self.inventory, plan)),
        }
    }

    /// Says what was done.
    fn report(&self, done: &Relinked) -> Result<(), Error> {
        let skipped: Vec<_> = done.steps.iter().filter(|step| step.skipped.is_some()).collect();
        if self.format != Format::Json {
            for left in skipped.iter().take(NAMED) {
                let why = left.skipped.as_ref().map_or_else(String::new, skip_words);
                let what = target::words(&self.inventory, left.step.id);
                output::say(output::warning(self.format, &format!("`{what}` stays: {why}")));
            }
            if let Some(more) = skipped.len().checked_sub(NAMED).filter(|more| *more > 0) {
                output::say(output::warning(self.format, &format!("… and {more} more stay")));
            }
        }
        if done.others == KeptOut::Nobody {
            let what = "locks are not to be had here, so nobody could be kept out meanwhile";
            output::say(output::warning(self.format, what));
        }
        let is_done = done.steps.len() > skipped.len();
        match self.format {
            Format::Json => {
                output::json(&self.new_report().done(&self.inventory, &self.planned, done))?;
            }
            Format::Quiet => output::line(done.freed_bytes)?,
            Format::Human if !is_done => {}
            Format::Human => {
                let steps: Vec<_> = done.steps.iter().filter(|it| it.skipped.is_none()).collect();
                let counts = words::count(steps.iter().map(|done| &done.step));
                let freed = styled(GOOD, words::freed(done.freed_bytes, Tense::Was));
                let what = words::in_words(&counts, Tense::Was);
                output::line(format_args!("Converted: {what}; {freed}."))?;
            }
        }
        let is_refused = |skip: &Option<Skip>| matches!(skip, Some(Skip::Refused(_)));
        if !is_done && skipped.iter().any(|step| is_refused(&step.skipped)) {
            let what = "nothing could be converted: the system refuses";
            return Err(Error::new(ErrorKind::NotPermitted, what)
                .hint("convert it as the user whom the cache belongs to"));
        }
        Ok(())
    }

    fn tell_left(&self) {
        let left = &self.planned.plan.left;
        for left in left.iter().take(NAMED) {
            let what = target::words(&self.inventory, left.id);
            let why = left_words(left.because);
            output::say(output::warning(self.format, &format!("`{what}` stays: {why}")));
        }
        if let Some(more) = left.len().checked_sub(NAMED).filter(|more| *more > 0) {
            output::say(output::warning(self.format, &format!("… and {more} more stay")));
        }
    }
}

/// One line that tells how far hashing has come, on a terminal only.
struct Bar {
    visible: bool,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Bar {
    fn new(format: Format) -> Self {
        let visible = format == Format::Human && io::stderr().is_terminal();
        Self { visible, last: Arc::default() }
    }

    fn tell(&self) -> Tell {
        let (visible, last) = (self.visible, Arc::clone(&self.last));
        Arc::new(move |progress| {
            let Progress::Hashing { done_bytes, total_bytes } = progress else { return };
            if !visible {
                return;
            }
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() < TOLD_EVERY) {
                return;
            }
            *last = Some(Instant::now());
            let (done, total) = (output::size(done_bytes), output::size(total_bytes));
            let mut stderr = anstream::stderr().lock();
            let _ =
                write!(stderr, "\r\x1b[KHashing what nothing has proved yet: {done} of {total}");
            let _ = stderr.flush();
        })
    }

    fn clear(&self) {
        let told = self.last.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if told {
            let mut stderr = anstream::stderr().lock();
            let _ = write!(stderr, "\r\x1b[K");
            let _ = stderr.flush();
        }
    }
}
