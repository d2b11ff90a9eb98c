/**
 * As much of HTTP as can be told before a request is passed on: where the first head ends, and that it is HTTP/1. The
 * server reads all of it again and by itself; nothing is decided here on what a header says.
 */

/** The answer instead of an answer, https://www.rfc-editor.org/rfc/rfc9110#name-status-codes. */
function refusal(status: string): Uint8Array {
  return new TextEncoder().encode(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

const preface = new TextEncoder().encode("PRI * HTTP/2.0\r\n");
/** Empty SETTINGS, then GOAWAY with HTTP_1_1_REQUIRED, https://www.rfc-editor.org/rfc/rfc9113. */
const goAway = new Uint8Array([
  ...[0, 0, 0, 4, 0, 0, 0, 0, 0],
  ...[0, 0, 8, 7, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 0x0d],
]);
const [lf, cr, space] = [0x0a, 0x0d, 0x20];

/** Answers in the server's place. */
export const refusals = {
  bad: refusal("400 Bad Request"),
  tooLarge: refusal("431 Request Header Fields Too Large"),
  late: refusal("408 Request Timeout"),
  full: refusal("503 Service Unavailable\r\nRetry-After: 2"),
  notImplemented: refusal("501 Not Implemented"),
} as const;

/**
 * What becomes of the first bytes of a connection: passed on, waited for, or answered and closed. `from` is where the
 * search for the end begins.
 */
export function judgeHead(
  bytes: Uint8Array,
  from: number,
  maxBytes: number,
): "whole" | "partial" | Uint8Array {
  const first = bytes[0] ?? lf;
  // A TLS handshake, most likely.
  if (first < space && first !== cr && first !== lf) return refusals.bad;
  if (preface.every((byte, at) => byte === bytes[at])) return goAway;
  const end = endOfHead(bytes, from);
  if ((end ?? bytes.length) > maxBytes) return refusals.tooLarge;
  return end === undefined ? "partial" : "whole";
}

/**
 * The head without an offer to change the protocol, which some clients make with their first request (`h2c`): it is
 * declined by saying nothing, but a runtime may wait for somebody who accepts it.
 */
export function withoutUpgrade(head: Uint8Array): Uint8Array {
  const end = endOfHead(head, 0) ?? head.length;
  const text = new TextDecoder("latin1").decode(head.subarray(0, end));
  const changed = head.slice();
  for (const { index } of text.matchAll(/^upgrade(?=:)/gim)) {
    changed.set(new TextEncoder().encode("x-offer"), index);
  }
  return changed;
}

/** The offset behind the empty line, as leniently as any server reads it. */
function endOfHead(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(lf, from); at !== -1; at = bytes.indexOf(lf, at + 1)) {
    if (bytes[at + 1] === lf) return at + 2;
    if (bytes[at + 1] === cr && bytes[at + 2] === lf) return at + 3;
  }
  return undefined;
}
