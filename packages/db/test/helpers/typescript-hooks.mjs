/** Module hooks for child processes of tests: they run the sources, as the tests do, without a build. */
import { createHash } from "node:crypto"
import { mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"

const packages = new URL("../../../", import.meta.url)

export const resolve = (specifier, context, next) => {
  const ours = /^@reckon\/([^/]+)(?:\/(.+))?$/.exec(specifier)
  if (ours !== null) return next(new URL(`${ours[1]}/src/${ours[2] ?? "index"}.ts`, packages).href, context)
  const isSourceImport = specifier.startsWith(".") && context.parentURL?.endsWith(".ts")
  return next(isSourceImport ? specifier.replace(/\.js$/, ".ts") : specifier, context)
}

/** What was compiled before: to do it anew takes a process two seconds, and there are a dozen of them. */
const compiled = fileURLToPath(new URL("../../build/children/", import.meta.url))

/** A file for each source, which ends with a print of what it was made of. */
const compile = async (filename, source) => {
  const kept = join(compiled, relative(fileURLToPath(packages), filename).replaceAll(sep, "!"))
  const print = `\n//${createHash("sha256").update(source).digest("hex")}`
  const before = await readFile(kept, "utf8").catch(() => "")
  if (before.endsWith(print)) return before
  const { default: ts } = await import("typescript")
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }
  })
  await mkdir(compiled, { recursive: true })
  // Another process may compile or read the same, and this one may be killed meanwhile.
  const unfinished = `${kept}.${process.pid}`
  await writeFile(unfinished, outputText + print)
  await rename(unfinished, kept)
  return outputText
}

export const load = async (url, context, next) => {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context)
  const filename = fileURLToPath(url)
  return { format: "module", source: await compile(filename, await readFile(filename, "utf8")), shortCircuit: true }
}
