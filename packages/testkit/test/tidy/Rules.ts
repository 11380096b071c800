/**
 * The rules that look at one file at a time.
 */
import ts from "typescript"
import { at, comments, dottedName, type Finding, isPublicModule, isRoomSource, nodes, type Source } from "./Source.js"

export type Rule = (source: Source) => ReadonlyArray<Finding>

const linesMax = 1_000

/** A file of code has at most 1,000 lines, unless `exceptions` names it. */
export const fileLength =
  (exceptions: ReadonlyArray<string>): Rule =>
  source => {
    if (source.tree === undefined || exceptions.includes(source.path)) return []
    const lines = source.text.replace(/\n$/, "").split("\n").length
    return lines <= linesMax
      ? []
      : [{ file: source.path, line: lines, message: `the file has ${lines} lines, the limit is ${linesMax}` }]
  }

const docBlockBefore = (source: Source, node: ts.Node): string | undefined =>
  (ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? [])
    .map(({ pos, end }) => source.text.slice(pos, end))
    .filter(text => text.startsWith("/**"))
    .at(-1)

const isExported = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) &&
  (ts.getModifiers(node) ?? []).some(modifier => modifier.kind === ts.SyntaxKind.ExportKeyword)

const declaredName = (statement: ts.Statement): string | undefined => {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText()).join(", ")
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isModuleDeclaration(statement)
  ) {
    return statement.name?.getText() ?? "default"
  }
  return undefined
}

const missingTags = (block: string | undefined, tags: ReadonlyArray<string>): ReadonlyArray<string> =>
  tags.filter(tag => !new RegExp(`${tag}\\s+\\S`).test(block ?? ""))

/**
 * A public module opens with a block that has `@since`; each exported declaration has one with `@since` and `@category`, each
 * re-export one with `@since`. Of an overloaded function the first signature carries it.
 */
export const documentation: Rule = source => {
  const tree = source.tree
  if (tree === undefined || !isPublicModule(source.path)) return []
  const findings: Array<Finding> = []
  const header = (ts.getLeadingCommentRanges(source.text, 0) ?? []).map(({ pos, end }) => source.text.slice(pos, end))
  if (missingTags(header[0], ["@since"]).length > 0) {
    findings.push({ file: source.path, line: 1, message: "the module does not open with a block that has @since" })
  }
  const overloaded = new Set<string>()
  for (const statement of tree.statements) {
    if (ts.isExportDeclaration(statement)) {
      // In index.ts one header speaks for a list of plain re-exports.
      if (source.path.endsWith("/index.ts")) continue
      if (missingTags(docBlockBefore(source, statement), ["@since"]).length > 0) {
        findings.push(at(source, statement.getStart(tree), "the re-export has no block with @since"))
      }
      continue
    }
    if (!isExported(statement)) continue
    const name = declaredName(statement)
    if (name === undefined) continue
    if (ts.isFunctionDeclaration(statement)) {
      if (overloaded.has(name)) continue
      overloaded.add(name)
    }
    const missing = missingTags(docBlockBefore(source, statement), ["@since", "@category"])
    if (missing.length > 0) {
      findings.push(at(source, statement.getStart(tree), `${name} is exported without ${missing.join(" and ")}`))
    }
  }
  return findings
}

/** Whether a name in this file stands for the module of that name in Effect. */
const isFromEffect = (source: Source, name: string): boolean =>
  (source.tree?.statements ?? []).some(
    statement =>
      ts.isImportDeclaration(statement) &&
      ts.isStringLiteral(statement.moduleSpecifier) &&
      (statement.moduleSpecifier.text === "effect" || statement.moduleSpecifier.text === `effect/${name}`) &&
      statement.importClause?.getText().includes(name) === true
  )

const isMailboxWithoutCapacity = (source: Source, call: ts.CallExpression): boolean => {
  if (dottedName(call.expression) !== "Mailbox.make" || !isFromEffect(source, "Mailbox")) return false
  const options = call.arguments[0]
  if (options === undefined) return true
  if (!ts.isObjectLiteralExpression(options)) return false
  return !options.properties.some(property => property.name?.getText() === "capacity")
}

/** No queue, mailbox or channel without a capacity. */
export const boundedQueues: Rule = source => {
  if (!isRoomSource(source.path)) return []
  const findings: Array<Finding> = []
  for (const node of nodes(source)) {
    if (ts.isPropertyAccessExpression(node) && node.name.text === "unbounded") {
      findings.push(at(source, node.getStart(), `${node.getText()} has no capacity`))
    } else if (ts.isImportSpecifier(node) && (node.propertyName ?? node.name).text === "unbounded") {
      findings.push(at(source, node.getStart(), "a queue imported as unbounded has no capacity"))
    } else if (ts.isCallExpression(node) && isMailboxWithoutCapacity(source, node)) {
      findings.push(at(source, node.getStart(), "Mailbox.make without a capacity holds any number of messages"))
    } else if (
      ts.isPropertyAssignment(node) &&
      ["capacity", "bufferSize"].includes(node.name.getText()) &&
      (/^["']unbounded["']$/.test(node.initializer.getText()) || /(?:^|_)infinity$/i.test(node.initializer.getText()))
    ) {
      findings.push(at(source, node.getStart(), `${node.getText()} is no capacity`))
    }
  }
  return findings
}

const ambientNames = new Set(["Date.now", "Math.random", "setTimeout", "setInterval"])

/** A use of ambient time or chance that is right, and why. */
export interface Exception {
  readonly file: string
  readonly name: string
  readonly reason: string
}

/** Time comes from `Clock`, chance from `Random`, waiting from `Effect.sleep`: nothing else can be put under TestClock. */
export const noAmbientTime =
  (exceptions: ReadonlyArray<Exception>): Rule =>
  source => {
    if (!isRoomSource(source.path)) return []
    const findings: Array<Finding> = []
    const object = (node: ts.Node, name: string) => {
      if (exceptions.some(exception => exception.file === source.path && exception.name === name)) return
      findings.push(at(source, node.getStart(), `${name} goes past the Clock and Random services`))
    }
    for (const node of nodes(source)) {
      if (ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments ?? []).length === 0) {
        object(node, "new Date()")
      } else if (ts.isPropertyAccessExpression(node) || ts.isIdentifier(node)) {
        const name = dottedName(node)?.replace(/^globalThis\./, "")
        const isUse =
          ts.isPropertyAccessExpression(node) ||
          (ts.isCallExpression(node.parent) && node.parent.expression === node) ||
          (ts.isCallExpression(node.parent) && node.parent.arguments.some(argument => argument === node))
        if (name !== undefined && isUse && ambientNames.has(name)) object(node, name)
      }
    }
    return findings
  }

const silencers = /@ts-(?:ignore|expect-error|nocheck)\b/

/**
 * The compiler is not silenced. `any` is tolerated only in an internal module of a package, on a line for which a comment just above gives
 * the linter a reason.
 */
export const noSilencedCompiler: Rule = source => {
  const tree = source.tree
  if (tree === undefined) return []
  const findings: Array<Finding> = []
  for (const comment of comments(source)) {
    const match = silencers.exec(comment.text)
    if (match !== null) findings.push(at(source, comment.start + match.index, `${match[0]} silences the compiler`))
  }
  const lines = source.text.split("\n")
  for (const node of nodes(source)) {
    if (node.kind !== ts.SyntaxKind.AnyKeyword) continue
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart())
    const excused = source.path.includes("/src/internal/") && /noExplicitAny: \S/.test(lines[line - 1] ?? "")
    if (!excused) findings.push(at(source, node.getStart(), "any switches the compiler off"))
  }
  return findings
}

const testFunctions = new Set(["it", "test", "describe", "suite", "layer"])
const switches = new Set(["skip", "only", "todo", "skipIf", "runIf", "fails"])

/** Every test runs, in every run. */
export const noSkippedTests: Rule = source => {
  if (source.tree === undefined || !/\/test\//.test(source.path)) return []
  const findings: Array<Finding> = []
  for (const node of nodes(source)) {
    if (ts.isPropertyAccessExpression(node) && switches.has(node.name.text)) {
      const root = dottedName(node)?.split(".")[0]
      if (root !== undefined && testFunctions.has(root)) {
        findings.push(at(source, node.getStart(), `${node.getText()} keeps tests from running`))
      }
    } else if (ts.isCallExpression(node) && /^(?:xit|xtest|xdescribe|fit|fdescribe)$/.test(node.expression.getText())) {
      findings.push(at(source, node.getStart(), `${node.expression.getText()} keeps tests from running`))
    }
  }
  return findings
}

/** `layer` of @effect/vitest puts functions of its own into the `it` that is everybody's: files that follow in the same worker would run inside a layer that is closed. */
export const noSharedLayers: Rule = source => {
  if (source.tree === undefined || !/\/test\//.test(source.path)) return []
  const findings: Array<Finding> = []
  for (const node of nodes(source)) {
    if (!ts.isImportDeclaration(node) || node.moduleSpecifier.getText().slice(1, -1) !== "@effect/vitest") continue
    const named = node.importClause?.namedBindings
    if (named === undefined || !ts.isNamedImports(named)) continue
    for (const { name, propertyName } of named.elements) {
      if ((propertyName ?? name).text === "layer")
        findings.push(at(source, name.getStart(), "layer changes everybody's it"))
    }
  }
  return findings
}

const everyMatch = (source: Source, pattern: RegExp, message: (found: string) => string): ReadonlyArray<Finding> =>
  [...source.text.matchAll(pattern)].map(match => at(source, match.index, message(match[0])))

/**
 * No parameter by which rows are chosen is a bare one: SQLite, built with STAT4 as better-sqlite3 builds it, lets a plan depend on the values of those it looks at, and prepares such a statement anew each time
 * it is run. That costs more than most queries. It looks at those of a `LIMIT` since 3.47, at those of `=` in joins since 3.54. Before a `+?`, which means the same, it stops.
 */
export const plannedOnce: Rule = source =>
  isRoomSource(source.path)
    ? everyMatch(
        source,
        /\b(?:LIMIT|OFFSET|BETWEEN|AND)\s+\?|\b(?:WHERE|AND|OR|ON)\s+[\w.]+\s*[<=>]{1,2}\s*\?/g,
        found => `${found} is planned anew each time, +? is not`
      )
    : []

/** What is left to do is written down where work is planned, not in the files. */
export const noLeftovers: Rule = source =>
  everyMatch(source, /\b(?:TO[D]O|FIX[M]E|XX[X])\b/g, found => `${found} is left over`)

/** No file names the folder of somebody's machine. */
export const noMachinePaths: Rule = source =>
  everyMatch(
    source,
    /(?<![\w.~@${}*)\]-])(?:\/(?:home|root|Users|work)\/[\w.-]|[A-Z]:\\Users\\)[^\s"'`)]*/g,
    found => `${found} exists on one machine only`
  )

/** No file names a package registry: the lockfile pins contents, and where they come from is the reader's setting. */
export const noRegistryHosts: Rule = source =>
  everyMatch(
    source,
    /\bregistry\.(?:npmjs|yarnpkg|npmmirror)\.\w+|https?:\/\/[^\s"'/]*(?:registry|artifactory|nexus|verdaccio|npm)[^\s"'/]*(?::\d+)?\/|\/-\/[^\s"']+\.tgz\b/g,
    found => `${found} names a package registry`
  )
