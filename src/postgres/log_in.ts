/** What a server may ask for during log-in: npm:postgres takes its word for too much. */
import { CallError } from "../common/errors.ts";
import { maskSecrets } from "../common/secrets_mask.ts";
import { type ErrorFields, ProtocolError } from "./backend_messages.ts";
import { ConnectionError, type ConnectionIdentity, nameAddress } from "./database_errors.ts";

/** What to log in with. */
export interface LogIn {
  readonly password: string | undefined;
}

/** The key is derived on the event loop: 4096 is PostgreSQL's default, a million take half a second. */
const maxIterations = 1_000_000;

const authentication = { ok: 0, cleartext: 3, md5: 5, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;

/** The server did not show that it knows the password: it may be another than the one the password is for. */
export function unproven({ address }: ConnectionIdentity): ConnectionError {
  return new ConnectionError(
    new CallError(
      "unavailable",
      `Cannot trust ${nameAddress(address)} as it does not prove that it knows the password`,
      {
        hint: "an operator must check that DB_HOST and DB_PORT, or DATABASE_URL, name the right server",
      },
    ),
  );
}

/** Follows one log-in: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP */
export class LogInCheck {
  readonly #identity: ConnectionIdentity;
  readonly #password: string | undefined;
  #scram: "no" | "begun" | "challenged" | "verified" = "no";
  #accepted = false;

  constructor(identity: ConnectionIdentity, { password }: LogIn) {
    this.#identity = identity;
    this.#password = password;
  }

  /** The password as the method at hand wants it. */
  password(): string {
    const password = this.#password ?? "";
    // SCRAM hashes the SASLprep form; for what people type that is NFKC. https://www.rfc-editor.org/rfc/rfc5802
    return this.#scram === "no" ? password : password.normalize("NFKC");
  }

  /**
   * The fields of an error without the password, which a server may have been given and can repeat, and without what
   * else looks like a secret. A password shorter than 4 characters is left, as it is part of many a word.
   */
  conceal(fields: ErrorFields): ErrorFields {
    const password = this.#password ?? "";
    const known = [password, password.normalize("NFKC")].filter((text) => text.length >= 4);
    const concealed = new Map<string, string>();
    for (const [type, text] of fields) {
      concealed.set(type, maskSecrets(known.reduce((left, secret) => left.replaceAll(secret, "***"), text)));
    }
    return concealed;
  }

  /** An Authentication message. Throws {@linkcode ProtocolError} or {@linkcode ConnectionError}. */
  check(body: Uint8Array): void {
    if (body.length < 4) throw new ProtocolError("an empty authentication request");
    const text = new TextDecoder().decode(body.subarray(4));
    switch (new DataView(body.buffer, body.byteOffset).getUint32(0)) {
      case authentication.ok:
        // A server that can't prove that it knows the password is not the one the password is for.
        if (this.#scram !== "no" && this.#scram !== "verified") {
          throw unproven(this.#identity);
        }
        this.#accepted = true;
        return;
      case authentication.md5:
        if (body.length !== 8) throw new ProtocolError("a salt of the wrong length");
        return this.#needPassword();
      case authentication.cleartext:
        return this.#needPassword();
      case authentication.sasl:
        if (!text.split("\0").includes("SCRAM-SHA-256")) return this.#unknownMethod();
        this.#scram = "begun";
        return this.#needPassword();
      case authentication.saslContinue: {
        const challenge = text.match(/^r=[^,]+,s=[A-Za-z0-9+/]+=*,i=([1-9][0-9]{0,9})(,|$)/);
        if (this.#scram !== "begun" || challenge === null || Number(challenge[1]) > maxIterations) {
          throw new ProtocolError("a challenge that is not SCRAM's");
        }
        this.#scram = "challenged";
        return;
      }
      case authentication.saslFinal:
        if (this.#scram !== "challenged") throw new ProtocolError("a proof that nobody asked for");
        this.#scram = "verified";
        return;
      default:
        return this.#unknownMethod();
    }
  }

  /** The server is ready. Throws {@linkcode ProtocolError} when it never accepted the log-in. */
  complete(): void {
    if (!this.#accepted) throw new ProtocolError("no log-in");
  }

  #needPassword(): void {
    if (this.#password !== undefined && this.#password !== "") return;
    const { address, user } = this.#identity;
    throw new ConnectionError(
      new CallError(
        "unavailable",
        `Cannot log in to ${nameAddress(address)} as it asks user ${
          JSON.stringify(user)
        } for a password and none is set`,
        { hint: "an operator must set DB_PASSWORD, DB_PASSWORD_FILE or a password in DATABASE_URL" },
      ),
    );
  }

  #unknownMethod(): never {
    throw new ConnectionError(
      new CallError(
        "unavailable",
        `Cannot log in to ${
          nameAddress(this.#identity.address)
        } as it asks for a method that this program does not know`,
        { hint: "an operator can let this user log in with scram-sha-256 in the server's pg_hba.conf" },
      ),
    );
  }
}
