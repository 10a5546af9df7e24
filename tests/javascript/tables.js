// Runs every row of every decision table against the component.
//
//     node tables.js COMPONENT TABLES WORKSHOP
//
// WORKSHOP is a folder in which `npm ci` was run with the files beside this one; the modules that jco makes of the component
// are written there. One line is printed for each table, and each row that differs is named; then the exit code is 1.
// `README.md` beside the tables describes how their words become values.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect, isDeepStrictEqual } from 'node:util';

const INTERFACE = 'hubstow:placement/decisions@0.2.0';
const NO_RETRY_LEFT = 2 ** 32 - 1;

/** Loads a package from the folder in which they were installed. */
function load(workshop, name) {
  const path = createRequire(join(resolve(workshop), 'package.json')).resolve(name);
  return import(pathToFileURL(path).href);
}

const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Rewrites a value with other names of fields; what is absent is left out, and integers are numbers where they fit. */
function rewritten(value, rename) {
  if (Array.isArray(value)) return value.map((item) => rewritten(item, rename));
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).filter(([, held]) => held !== undefined);
  return Object.fromEntries(fields.map(([name, held]) => [rename(name), rewritten(held, rename)]));
}

/** A name that is none; the message is the rule it breaks. */
class Refused extends Error {}

/** The component, made into modules once. */
class Core {
  static async load(path, workshop) {
    const { transpileBytes, writeFiles } = await load(workshop, '@bytecodealliance/jco-transpile');
    const outDir = join(resolve(workshop), 'core');
    const options = { name: 'core', outDir, wasiShim: false, emitTypescriptDeclarations: false };
    const { files, imports } = await transpileBytes(readFileSync(path), options);
    if (imports.length > 0) throw new Error(`the component imports ${imports}`);
    await writeFiles(files);
    const core = new Core();
    core.exports = (await import(pathToFileURL(join(outDir, 'core.js')).href))[INTERFACE];
    return core;
  }

  ask(name, ...values) {
    try {
      return rewritten(this.exports[camel(name)](...values.map((value) => rewritten(value, camel))), kebab);
    } catch (error) {
      // The error of a result is thrown as it is, or as the payload of an error.
      const { rule } = error.payload ?? error;
      throw rule === undefined ? error : new Refused(rule);
    }
  }
}

function same(what, expected, came) {
  if (!isDeepStrictEqual(expected, came)) {
    throw new Error(`${what}: expected ${inspect(expected)}, got ${inspect(came)}`);
  }
}

/** Writes an action in words; any other value is one word. */
function words(action) {
  if (typeof action === 'string') return action;
  const { tag, val } = action;
  if (val === undefined) return tag;
  return [tag, ...(typeof val === 'string' ? [val] : Object.entries(val).flat())].join(' ');
}

/** Reads an action from words. */
function action(text) {
  const [tag, ...rest] = text.split(' ');
  if (rest.length < 2) return { tag, val: rest[0] };
  const fields = rest.flatMap((name, at) => (at % 2 === 0 ? [[name, rest[at + 1]]] : []));
  return { tag, val: Object.fromEntries(fields) };
}

/** Writes a decision as the tables do. */
function said({ tag, val }) {
  if (typeof val === 'string') return { [tag]: val };
  const [first, because] = val;
  return { [tag]: words(first), because };
}

/** The value of a header, or nothing where it was not sent. */
const sent = (value) => (value === false ? undefined : value);

function headers(given) {
  const fields = Object.entries(given).map(([name, value]) => [name.replace(/^x-/, ''), sent(value)]);
  return Object.fromEntries(fields);
}

const CHECKS = {
  place(core, given, expect) {
    const decision = said(core.ask('place', given));
    same('the decision', expect, decision);
    same('the reason alone', decision.because ?? decision.reuse, core.ask('why', given));
  },

  resolve(core, given, expect) {
    same('the decision', expect, said(core.ask('resolve', given)));
  },

  forecast(core, given, expect) {
    const { rounds, end } = core.ask('forecast', given.facts, given.disk);
    const actions = rounds.map((round) => words(round.action));
    same('the course', expect, { actions, [end.tag]: end.val });
  },

  learn(core, given, expect) {
    const { methods, outcome } = given;
    const done = action(given.action);
    const lesson =
      outcome === 'done'
        ? { tag: 'again', val: core.ask('learn-done', methods, done) }
        : core.ask('learn', methods, done, outcome);
    const known = { tag: 'again', val: { ...methods, ...expect.methods } };
    same('the lesson', expect['give-up'] ? { tag: 'give-up' } : known, lesson);
  },

  names(core, given, expect) {
    const textOf = (value) =>
      typeof value === 'string' ? value : value.repeat.repeat(value.times) + (value.then ?? '');
    const parse = (text) => {
      const name = core.ask('parse-name', given.kind, text);
      if (given.kind === 'file-name') core.ask('check-file-name', name, given.naming);
      return name;
    };
    for (const text of (expect.accepted ?? []).map(textOf)) {
      const name = parse(text);
      same(`what ${inspect(text)} becomes`, expect.becomes ?? text, name);
      const hash = expect['content-hash'];
      if (hash !== undefined) same('how content is proved', hash, core.ask('content-hash-of', name));
    }
    for (const text of (expect.refused ?? []).map(textOf)) {
      let rule;
      try {
        parse(text);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        rule = error.message;
      }
      if (rule === undefined) throw new Error(`accepted ${inspect(text)}`);
      same('the rule', expect.rule ?? rule, rule);
    }
  },

  layout(core, given, expect, items) {
    const { commit, file } = given;
    const tree = given.local ? { tag: 'local' } : { tag: 'shared', val: { kind: given.kind, id: given.repo } };
    const path = (thing) => {
      const names = items[thing];
      const parts = Object.fromEntries(names.map((name) => [name, given[name]]));
      return core.ask('path', tree, { tag: thing, val: names.length > 1 ? parts : given[names[0]] });
    };
    const asks = {
      reserved: () => core.ask('is-reserved', tree, file),
      'pointer-steps': () => core.ask('pointer-steps', tree, { commit, file }).map((step) => Object.values(step)),
      'link-text': () => core.ask('link-text', file, given.etag),
      'etag-of-link': () => core.ask('etag-of-link', file, given.link) ?? '',
      'staged-of-base': () => Object.values(core.ask('staged-of-base', given.base) ?? {}),
    };
    for (const [thing, value] of Object.entries(expect)) same(thing, value, (asks[thing] ?? path)(thing));
  },

  head(core, given, expect) {
    const { answer, commit, metadata, broken } = core.ask(
      'read-head',
      given.status,
      headers(given.headers),
      given.asked,
      given.lookup,
    );
    const { commit: at, ...file } = metadata ?? { commit };
    const came = { answer, commit, ...file, broken: broken?.what };
    same('what the answer says', expect, rewritten(came, (name) => name));
    same('metadata, exactly where found', answer === 'found', metadata !== undefined);
    same('one commit', at, commit);
  },

  get(core, given, expect) {
    const received = headers(given.headers);
    const asks = {
      refuse: () => core.ask('refusal-of-status', given.status, received),
      'same-content': () => core.ask('same-content', given.promised, received),
    };
    for (const [what, value] of Object.entries(expect)) same(what, value, asks[what]());
  },

  redirect(core, given, expect) {
    same('the redirect', expect, { decision: core.ask('redirect', given) });
  },

  urls(core, given, expect) {
    const repo = { kind: given.kind, id: given.repo };
    for (const [page, url] of Object.entries(expect)) {
      const wanted = { tag: page, val: page === 'file' ? given.file : undefined };
      same(page, url, core.ask('url', given.endpoint, repo, given.revision, wanted));
    }
  },

  retry(core, given, expect) {
    if (expect.retry !== undefined) {
      for (const status of given.statuses) {
        same(`sent again after ${status}`, expect.retry, core.ask('retry', status));
      }
    }
    if (expect['wait-s'] !== undefined) {
      const wait = core.ask('retry-after-s', sent(given['retry-after']), sent(given['rate-limit']));
      same('the wait', expect['wait-s'], wait ?? -1);
    }
    const waits = expect['backoff-ms'];
    if (waits !== undefined) {
      same('the waits', [...waits, undefined], [...waits, undefined].map((_, retry) => core.ask('backoff-ms', retry)));
      same('no wait after the last', undefined, core.ask('backoff-ms', NO_RETRY_LEFT));
    }
  },
};

const isTable = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function laidOver(base, differs) {
  const both = { ...base };
  for (const [key, value] of Object.entries(differs)) {
    both[key] = isTable(value) && isTable(base[key]) ? laidOver(base[key], value) : value;
  }
  return both;
}

/** Reads a table: each row's id, what is given, and what is expected of what the component exports. */
function read(path, parse) {
  const table = rewritten(parse(readFileSync(path, 'utf8'), { integersAsBigInt: true }), (name) => name);
  const leftOut = table['crate-only'] ?? [];
  const rows = table.row.map(({ id, name, story, expect, ...differs }) => {
    const kept = Object.entries(expect).filter(([key]) => !leftOut.includes(key));
    return { id, given: laidOver(table.defaults, differs), expect: Object.fromEntries(kept) };
  });
  return { rows, items: table.items, leftOut };
}

/** Checks every row, prints a line, and returns how many there are and how many differ. */
function checkTable(core, path, parse) {
  const { rows, items, leftOut } = read(path, parse);
  const file = basename(path);
  const table = basename(path, '.toml');
  const differing = [];
  for (const { id, given, expect } of rows) {
    try {
      CHECKS[table](core, given, expect, items);
    } catch (error) {
      differing.push(`${file} ${id}: ${error.name}: ${error.message}`);
    }
  }
  if (table === 'place') {
    const together = core.ask('place-many', rows.map(({ given }) => given)).map(said);
    if (!isDeepStrictEqual(together, rows.map(({ expect }) => expect))) {
      differing.push(`${file}: place-many does not decide as place does`);
    }
  }
  const note = leftOut.length > 0 ? `, not exported: ${leftOut.join(', ')}` : '';
  console.log(`${file.padEnd(16)}${String(rows.length).padStart(4)} rows, ${differing.length} differ${note}`);
  for (const line of differing) console.log(`  ${line}`);
  return [rows.length, differing.length];
}

const [component, tables, workshop] = process.argv.slice(2);
const { parse } = await load(workshop, 'smol-toml');
const core = await Core.load(component, workshop);
const files = readdirSync(tables).filter((name) => name.endsWith('.toml')).sort();
const counts = files.map((name) => checkTable(core, join(tables, name), parse));
const [rows, differ] = [0, 1].map((column) => counts.reduce((sum, count) => sum + count[column], 0));
console.log(`JavaScript: ${rows} rows in ${counts.length} tables, ${differ} differ`);
process.exitCode = differ > 0 || rows === 0 ? 1 : 0;
