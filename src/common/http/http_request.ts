/** A request as routes see it: what they need of the web's `Request`, which is one too, and takes far longer to make. */

/** The names in lower case; the lines of one name joined by commas, https://www.rfc-editor.org/rfc/rfc9110#section-5.3. */
export type HttpFields = Pick<Headers, "get" | "has"> & Iterable<readonly [name: string, value: string]>;

/** A request. */
export interface HttpRequest extends Pick<Request, "method" | "body"> {
  /** Absolute. */
  readonly url: string;
  readonly headers: HttpFields;
}

/** The fields of a head, as Node gives them: names and values in turn. */
export function fieldsOf(rawHeaders: readonly string[]): HttpFields {
  const fields = new Map<string, string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? "").toLowerCase();
    const value = rawHeaders[at + 1] ?? "";
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return {
    get: (name) => fields.get(name) ?? null,
    has: (name) => fields.has(name),
    [Symbol.iterator]: () => fields[Symbol.iterator](),
  };
}
