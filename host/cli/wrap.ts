// Breaks text for people into lines that fit their terminal. Called by reports.

/** Lines of at most `width` columns, broken at spaces; all but the first begin with `indent` spaces. A word that is longer stays whole: what is to be copied must not be cut. */
export function wrapped(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const room = width - (lines.length === 0 ? 0 : indent);
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each, index) => (index === 0 ? each : `${' '.repeat(indent)}${each}`));
}
