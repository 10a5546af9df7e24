"""Runs every row of every decision table against the component.

    python tables.py COMPONENT TABLES

The component runs in wasmtime with an empty linker. One line is printed for each table, and each row that differs is
named; then the exit code is 1. `README.md` beside the tables describes how their words become values.
"""

import sys
import tomllib
from pathlib import Path

from wasmtime import Engine, Store
from wasmtime.component import Component, Linker, Record, Variant
from wasmtime.component import EnumType, ListType, OptionType, RecordType, ResultType, TupleType, VariantType

INTERFACE = "hubstow:placement/decisions@0.2.0"
NO_RETRY_LEFT = 2**32 - 1


class Refused(Exception):
    """A name that is none; the argument is the rule it breaks."""


def is_bare(kind):
    """Tells whether the runtime passes the payload alone: of two cases, one has a payload and one has none."""
    return sorted(held is None for _, held in kind.cases) == [False, True]


def lower(kind, value):
    """Makes a plain value one of this type: tables become records, words become cases."""
    if isinstance(kind, RecordType):
        record = Record()
        for name, field in kind.fields:
            setattr(record, name, lower(field, value.get(name)))
        return record
    if isinstance(kind, VariantType):
        tag, payload = value if isinstance(value, tuple) else (value, None)
        held = dict(kind.cases)[tag]
        payload = None if held is None else lower(held, payload)
        return payload if is_bare(kind) else Variant(tag, payload)
    if isinstance(kind, ListType):
        return [lower(kind.element, item) for item in value]
    if isinstance(kind, OptionType):
        return None if value is None else lower(kind.payload, value)
    return value


def lift(kind, value):
    """Makes plain what is of this type: records become tables, and a case with a payload becomes a pair."""
    if isinstance(kind, RecordType):
        return {name: lift(field, getattr(value, name)) for name, field in kind.fields}
    if isinstance(kind, VariantType):
        if is_bare(kind):
            tag = next(tag for tag, held in kind.cases if (held is None) == (value is None))
            value = Variant(tag, value)
        held = dict(kind.cases)[value.tag]
        return value.tag if held is None else (value.tag, lift(held, value.payload))
    if isinstance(kind, ListType):
        return [lift(kind.element, item) for item in value]
    if isinstance(kind, TupleType):
        return [lift(element, item) for element, item in zip(kind.elements, value)]
    if isinstance(kind, OptionType):
        return None if value is None else lift(kind.payload, value)
    if isinstance(kind, ResultType):
        if isinstance(value, Variant):
            value, failed = value.payload, value.tag == "err"
        else:
            failed = isinstance(value, Record)
        if failed:
            raise Refused(lift(kind.err, value)["rule"])
        return None if kind.ok is None else lift(kind.ok, value)
    return value


class Core:
    """The component, loaded once."""

    def __init__(self, path):
        engine = Engine()
        component = Component.from_file(engine, path)
        imports = list(component.type.imports(engine))
        assert not imports, f"the component imports {imports}"
        self.store = Store(engine)
        self.instance = Linker(engine).instantiate(self.store, component)
        self.interface = self.instance.get_export_index(self.store, INTERFACE)

    def ask(self, name, *values):
        index = self.instance.get_export_index(self.store, name, self.interface)
        function = self.instance.get_func(self.store, index)
        kind = function.type(self.store)
        lowered = [lower(param, value) for (_, param), value in zip(kind.params, values, strict=True)]
        answer = function(self.store, *lowered)
        function.post_return(self.store)
        return lift(kind.result, answer)


class Differs(Exception):
    """A row whose expectation does not hold."""


def same(what, expected, came):
    if expected != came:
        raise Differs(f"{what}: expected {expected!r}, got {came!r}")


def words(action):
    """Writes an action in words."""
    if isinstance(action, str):
        return action
    tag, payload = action
    if isinstance(payload, str):
        return f"{tag} {payload}"
    return " ".join([tag, *(word for field in payload.items() for word in field)])


def action(text):
    """Reads an action from words."""
    tag, *rest = text.split(" ")
    if len(rest) < 2:
        return (tag, rest[0]) if rest else tag
    return tag, dict(zip(rest[::2], rest[1::2], strict=True))


def said(decision):
    """Writes a decision as the tables do."""
    tag, payload = decision
    if isinstance(payload, str):
        return {tag: payload}
    first, because = payload
    return {tag: words(first), "because": because}


def sent(value):
    """The value of a header, or nothing where it was not sent."""
    return None if value is False else value


def headers(given):
    return {name.removeprefix("x-"): sent(value) for name, value in given.items()}


def check_place(core, given, expect):
    decision = said(core.ask("place", given))
    same("the decision", expect, decision)
    reason = decision.get("because", decision.get("reuse"))
    same("the reason alone", reason, core.ask("why", given))


def check_resolve(core, given, expect):
    same("the decision", expect, said(core.ask("resolve", given)))


def check_forecast(core, given, expect):
    course = core.ask("forecast", given["facts"], given["disk"])
    tag, payload = course["end"]
    actions = [words(one["action"]) for one in course["rounds"]]
    same("the course", expect, {"actions": actions, tag: payload})


def check_learn(core, given, expect):
    before, done = given["methods"], action(given["action"])
    if given["outcome"] == "done":
        lesson = "again", core.ask("learn-done", before, done)
    else:
        lesson = core.ask("learn", before, done, given["outcome"])
    gives_up = expect.get("give-up", False)
    same("the lesson", "give-up" if gives_up else ("again", before | expect.get("methods", {})), lesson)


def check_names(core, given, expect):
    def parse(value):
        text = value
        if isinstance(value, dict):
            text = value["repeat"] * value["times"] + value.get("then", "")
        name = core.ask("parse-name", given["kind"], text)
        if given["kind"] == "file-name":
            core.ask("check-file-name", name, given["naming"])
        return text, name

    for value in expect.get("accepted", []):
        text, name = parse(value)
        same(f"what {text!r} becomes", expect.get("becomes", text), name)
        if "content-hash" in expect:
            same("how content is proved", expect["content-hash"], core.ask("content-hash-of", name))
    for value in expect.get("refused", []):
        try:
            raise Differs(f"accepted {parse(value)}")
        except Refused as refused:
            same("the rule", expect.get("rule", refused.args[0]), refused.args[0])


def check_layout(core, given, expect, items):
    tree = "local" if given["local"] else ("shared", {"kind": given["kind"], "id": given["repo"]})
    file = given["file"]

    def path(thing):
        parts = {name: given[name] for name in items[thing]}
        payload = parts if len(parts) > 1 else next(iter(parts.values()), None)
        return core.ask("path", tree, (thing, payload))

    def steps():
        at = {"commit": given["commit"], "file": file}
        return [list(step.values()) for step in core.ask("pointer-steps", tree, at)]

    asks = {
        "reserved": lambda: core.ask("is-reserved", tree, file),
        "pointer-steps": steps,
        "link-text": lambda: core.ask("link-text", file, given["etag"]),
        "etag-of-link": lambda: core.ask("etag-of-link", file, given["link"]) or "",
        "staged-of-base": lambda: list((core.ask("staged-of-base", given["base"]) or {}).values()),
    }
    for thing, value in expect.items():
        same(thing, value, asks[thing]() if thing in asks else path(thing))


def check_head(core, given, expect):
    reply = core.ask("read-head", given["status"], headers(given["headers"]), given["asked"], given["lookup"])
    metadata, broken = reply["metadata"] or {}, reply["broken"] or {}
    came = {
        "answer": reply["answer"],
        "commit": reply["commit"],
        "etag": metadata.get("etag"),
        "size": metadata.get("size"),
        "xet-hash": metadata.get("xet-hash"),
        "broken": broken.get("what"),
    }
    same("what the answer says", expect, {key: value for key, value in came.items() if value is not None})
    same("metadata, exactly where found", reply["answer"] == "found", bool(metadata))
    same("one commit", metadata.get("commit", reply["commit"]), reply["commit"])


def check_get(core, given, expect):
    received = headers(given["headers"])
    asks = {
        "refuse": lambda: core.ask("refusal-of-status", given["status"], received),
        "same-content": lambda: core.ask("same-content", given["promised"], received),
    }
    for what, value in expect.items():
        same(what, value, asks[what]())


def check_redirect(core, given, expect):
    same("the redirect", expect, {"decision": core.ask("redirect", given)})


def check_urls(core, given, expect):
    repo = {"kind": given["kind"], "id": given["repo"]}
    for page, url in expect.items():
        wanted = (page, given["file"]) if page == "file" else page
        same(page, url, core.ask("url", given["endpoint"], repo, given["revision"], wanted))


def check_retry(core, given, expect):
    if "retry" in expect:
        for status in given["statuses"]:
            same(f"sent again after {status}", expect["retry"], core.ask("retry", status))
    if "wait-s" in expect:
        wait = core.ask("retry-after-s", sent(given["retry-after"]), sent(given["rate-limit"]))
        same("the wait", expect["wait-s"], -1 if wait is None else wait)
    if "backoff-ms" in expect:
        waits = [*expect["backoff-ms"], None]
        same("the waits", waits, [core.ask("backoff-ms", retry) for retry in range(len(waits))])
        same("no wait after the last", None, core.ask("backoff-ms", NO_RETRY_LEFT))


def laid_over(base, differs):
    both = dict(base)
    for key, value in differs.items():
        inner = isinstance(value, dict) and isinstance(base.get(key), dict)
        both[key] = laid_over(base[key], value) if inner else value
    return both


def read(path):
    """Reads a table: each row's id, what is given, and what is expected of what the component exports."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    told, left_out = {"id", "name", "story", "expect"}, table.get("crate-only", [])
    rows = []
    for row in table["row"]:
        differs = {key: value for key, value in row.items() if key not in told}
        expect = {key: value for key, value in row["expect"].items() if key not in left_out}
        rows.append((row["id"], laid_over(table["defaults"], differs), expect))
    return rows, table.get("items"), left_out


def check_table(core, path):
    """Checks every row, prints a line, and returns how many differ."""
    rows, items, left_out = read(path)
    check = globals()[f"check_{path.stem}"]
    more = [items] if items else []
    differing = []
    for name, given, expect in rows:
        try:
            check(core, given, expect, *more)
        except Exception as error:
            differing.append(f"{path.name} {name}: {type(error).__name__}: {error}")
    if path.stem == "place":
        together = [said(decision) for decision in core.ask("place-many", [given for _, given, _ in rows])]
        if together != [expect for _, _, expect in rows]:
            differing.append(f"{path.name}: place-many does not decide as place does")
    note = f", not exported: {', '.join(left_out)}" if left_out else ""
    print(f"{path.name:<16}{len(rows):4} rows, {len(differing)} differ{note}")
    for line in differing:
        print(f"  {line}")
    return len(rows), len(differing)


def main():
    core = Core(sys.argv[1])
    counts = [check_table(core, path) for path in sorted(Path(sys.argv[2]).glob("*.toml"))]
    rows, differ = (sum(column) for column in zip(*counts, strict=True))
    print(f"Python: {rows} rows in {len(counts)} tables, {differ} differ")
    return 1 if differ or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
