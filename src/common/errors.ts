/**
 * The two errors a program raises on purpose. Everything else is a defect: it is logged with its cause
 * and answered with one neutral sentence.
 */

/** What kind of failure a call ended with; the audit log's `outcome`. */
export type CallErrorKind = typeof callErrorKinds[number];

/** All of them. */
export const callErrorKinds = [
  "invalid", // the caller's arguments or statement
  "refused", // a promise of this program (read-only, a limit) forbids it
  "limited", // the rate limit
  "unavailable", // the backend is absent, slow or broken
  "not_found", // no such object
  "cancelled", // the client no longer wants the answer
  "failed", // the backend answered with an error
] as const;

/**
 * A call that can't be answered, in words the caller can act on.
 *
 * `message` is one sentence without a full stop; `hint`, if there is one, says what to do next. Neither may
 * hold a secret, a stack or a path of this machine.
 */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly kind: CallErrorKind;
  readonly hint: string | undefined;

  constructor(
    kind: CallErrorKind,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
  }
}

/** Whether something was not to be had, which the rest of an answer can say in its place; a cancelled call needs none. */
export function couldNotAnswer(error: unknown): error is CallError {
  return error instanceof CallError && error.kind !== "cancelled";
}

/** What the work comes to, or `otherwise` where it could not be answered. */
export async function answerOr<Value, Otherwise>(
  otherwise: Otherwise,
  work: () => Promise<Value>,
): Promise<Value | Otherwise> {
  try {
    return await work();
  } catch (error) {
    if (couldNotAnswer(error)) return otherwise;
    throw error;
  }
}

/** A program that can't start: one line on stderr, exit code 2. The message never holds a value of a secret. */
export class StartError extends Error {
  override readonly name = "StartError";
}
