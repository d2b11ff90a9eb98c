/** Errors of calls that are to fail. */
import { CallError } from "../../src/common/errors.ts";

/** The error that a call is answered with; throws when there is none, or it is a defect. */
export async function rejection(call: Promise<unknown>): Promise<CallError> {
  let value: unknown;
  try {
    value = await call;
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error(`answered with ${JSON.stringify(value)}`);
}

/** The same of what is refused at once. */
export function refusal(act: () => unknown): CallError {
  let value: unknown;
  try {
    value = act();
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error(`answered with ${JSON.stringify(value)}`);
}
