// The example every command shows under its help. Called by the files in commands/.

/** `.addHelpText('after', example('gatehouse status --json'))`. */
export function example(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
