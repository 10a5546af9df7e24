// Downloads as programs do with @huggingface/hub: `PACKAGES VERSION URL FOLDER MODEL FILE… -- DATASET FILE…`; prints name and
// path of each file.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [packages, version, hubUrl, folder, model, ...rest] = process.argv.slice(2);
const cut = rest.indexOf("--");
const [files, [dataset, ...rows]] = [rest.slice(0, cut), rest.slice(cut + 1)];
const within = createRequire(join(packages, "package.json"));
const hub = await import(pathToFileURL(within.resolve("@huggingface/hub")));

// What is printed is the answer; the library speaks too.
const say = console.log.bind(console);
console.log = console.info = console.debug = console.error;

function check(holds, what) {
  if (!holds) throw new Error(what);
}

const manifest = join(packages, "node_modules", "@huggingface", "hub", "package.json");
const found = JSON.parse(await readFile(manifest, "utf8")).version;
check(found === version, `version ${found}`);

async function download(repo, path) {
  const blob = await hub.downloadFile({ repo, path, hubUrl });
  check(blob !== null, `${path} is not found`);
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, Buffer.from(await blob.arrayBuffer()));
  say(`${path}\t${target}`);
}

const repo = { type: "model", name: model };
const listed = [];
for await (const entry of hub.listFiles({ repo, recursive: true, hubUrl })) listed.push(entry.path);
for (const file of files) {
  check(listed.includes(file), `${file} is not listed`);
  check(await hub.fileExists({ repo, path: file, hubUrl }), `${file} does not exist`);
  await download(repo, file);
}
check(!(await hub.fileExists({ repo, path: "nope", hubUrl })), "nope exists");
check((await hub.downloadFile({ repo, path: "nope", hubUrl })) === null, "nope is there");
const kept = await hub.downloadFileToCacheDir({ repo, path: files[0], hubUrl, cacheDir: join(folder, "hub") });
check(kept.includes(`models--${model.replace("/", "--")}`), kept);
for (const file of rows) await download({ type: "dataset", name: dataset }, file);
