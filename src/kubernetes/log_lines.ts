/** A stream of bytes as lines of text, without ever holding more than one of them. */

/** Characters of one line that are kept; the rest of it is dropped, and the line says so. */
const longestLine = 256 * 1024;

/** Lines without their line breaks (`\n` or `\r\n`). Invalid UTF-8 becomes U+FFFD. */
export async function* logLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let line = "";
  let dropped = 0;
  const take = (text: string): void => {
    const room = longestLine - line.length;
    line += text.length <= room ? text : text.slice(0, Math.max(0, room));
    dropped += Math.max(0, text.length - Math.max(0, room));
  };
  const finish = (): string => {
    const whole = dropped === 0 ? line.replace(/\r$/, "") : `${line}… (${dropped} more characters)`;
    line = "";
    dropped = 0;
    return whole;
  };
  const split = function* (text: string): Generator<string, void, undefined> {
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      take(text.slice(start, end));
      yield finish();
      start = end + 1;
    }
    take(text.slice(start));
  };
  for await (const chunk of chunks) yield* split(decoder.decode(chunk, { stream: true }));
  yield* split(decoder.decode());
  if (line !== "") yield finish();
}
