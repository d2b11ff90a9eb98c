/** Columns that a person can read without turning a window. */
const columns = 110;

/** A paragraph as lines that break at spaces, the further ones indented below the first; a long word stays whole. */
export function wrap(paragraph: string): readonly string[] {
  const [start = ""] = /^ */.exec(paragraph) ?? [];
  const indent = `${start}   `;
  const lines: string[] = [];
  let line = start;
  for (const word of paragraph.slice(start.length).split(" ")) {
    if (line.trim() === "") line += word;
    else if (line.length + 1 + word.length <= columns) line += ` ${word}`;
    else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line];
}
