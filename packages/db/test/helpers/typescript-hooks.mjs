/** Module hooks for child processes of tests: they run the sources, as the tests do, without a build. */
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const packages = new URL("../../../", import.meta.url)

export const resolve = (specifier, context, next) => {
  const ours = /^@reckon\/([^/]+)(?:\/(.+))?$/.exec(specifier)
  if (ours !== null) return next(new URL(`${ours[1]}/src/${ours[2] ?? "index"}.ts`, packages).href, context)
  const isSourceImport = specifier.startsWith(".") && context.parentURL?.endsWith(".ts")
  return next(isSourceImport ? specifier.replace(/\.js$/, ".ts") : specifier, context)
}

export const load = async (url, context, next) => {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context)
  const source = await readFile(fileURLToPath(url), "utf8")
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }
  })
  return { format: "module", source: outputText, shortCircuit: true }
}
