// Makes modules of a component, as `jco transpile COMPONENT --name NAME -o FOLDER` does.
//
//     node transpile.js COMPONENT NAME FOLDER WORKSHOP
//
// WORKSHOP is a folder in which `npm ci` was run with the files beside this one.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [component, name, folder, workshop] = process.argv.slice(2);
const jco = createRequire(join(resolve(workshop), 'package.json')).resolve('@bytecodealliance/jco-transpile');
const { transpileBytes, writeFiles } = await import(pathToFileURL(jco).href);
const { files } = await transpileBytes(readFileSync(component), { name, outDir: resolve(folder) });
await writeFiles(files);
