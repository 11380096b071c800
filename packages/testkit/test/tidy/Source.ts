/**
 * A file of the repository as the rules see it, and what a rule says about it.
 */
import ts from "typescript"

/** Something a rule objects to. Lines count from 1. */
export interface Finding {
  readonly file: string
  readonly line: number
  readonly message: string
}

/** A file: its path from the root with forward slashes, its text, and its syntax tree where it is TypeScript or JavaScript. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly tree: ts.SourceFile | undefined
}

const isCode = (path: string): boolean => /\.[cm]?[jt]sx?$/.test(path)

export const make = (path: string, text: string): Source => ({
  path,
  text,
  tree: isCode(path) ? ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true) : undefined
})

export const format = (finding: Finding): string => `${finding.file}:${finding.line} ${finding.message}`

/** A finding at an offset of the text. */
export const at = (source: Source, offset: number, message: string): Finding => {
  let line = 1
  for (
    let index = source.text.indexOf("\n");
    index !== -1 && index < offset;
    index = source.text.indexOf("\n", index + 1)
  ) {
    line++
  }
  return { file: source.path, line, message }
}

/** Every node of a file, parents first. */
export function* nodes(source: Source): Generator<ts.Node> {
  if (source.tree === undefined) return
  const waiting: Array<ts.Node> = [source.tree]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node
    const children: Array<ts.Node> = []
    ts.forEachChild(node, child => {
      children.push(child)
    })
    waiting.push(...children.reverse())
  }
}

/** Every comment of a file, in order. A regular expression would take the contents of strings for comments. */
export const comments = (source: Source): ReadonlyArray<{ readonly text: string; readonly start: number }> => {
  const tree = source.tree
  if (tree === undefined) return []
  const found = new Map<number, string>()
  const add = (ranges: ReadonlyArray<ts.CommentRange> | undefined) => {
    for (const { pos, end } of ranges ?? []) found.set(pos, source.text.slice(pos, end))
  }
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(tree)
    if (children.length === 0 && node.kind !== ts.SyntaxKind.JsxText) {
      add(ts.getLeadingCommentRanges(source.text, node.getFullStart()))
      add(ts.getTrailingCommentRanges(source.text, node.end))
    }
    for (const child of children) visit(child)
  }
  visit(tree)
  return [...found].sort(([left], [right]) => left - right).map(([start, text]) => ({ start, text }))
}

/** A dotted name such as `Queue.unbounded`, or undefined where the expression is not one. */
export const dottedName = (expression: ts.Node): string | undefined => {
  if (ts.isIdentifier(expression)) return expression.text
  if (!ts.isPropertyAccessExpression(expression)) return undefined
  const left = dottedName(expression.expression)
  return left === undefined ? undefined : `${left}.${expression.name.text}`
}

/** A module that a file names. `erased`: only for its types, so that nothing of the import is left when the program runs. */
export interface ModuleName {
  readonly name: string
  readonly start: number
  readonly erased: boolean
}

/** Every module a file names: imports, re-exports, `import()` in values and in types. */
export const moduleNames = (source: Source): ReadonlyArray<ModuleName> => {
  const found: Array<ModuleName> = []
  const add = (node: ts.Node | undefined, erased: boolean) => {
    if (node !== undefined && ts.isStringLiteralLike(node))
      found.push({ name: node.text, start: node.getStart(), erased })
  }
  for (const node of nodes(source)) {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true)
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false)
    }
  }
  return found
}

/** The room a path lies in, such as `packages/otp`; undefined outside the rooms. */
export const roomOf = (path: string): string | undefined => /^(?:packages|apps)\/[^/]+/.exec(path)?.[0]

/** Whether a path is a source of a room, and not a test. */
export const isRoomSource = (path: string): boolean => /^(?:packages|apps)\/[^/]+\/src\/.*\.ts$/.test(path)

/** Whether a path is a public module of a package. */
export const isPublicModule = (path: string): boolean =>
  /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !path.includes("/internal/")
