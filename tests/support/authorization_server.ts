/** A real authorization server on loopback: npm:oidc-provider, with keys that a test knows and can change. */
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** A key pair, and the name that tokens know it by. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
}

/** The server; closed when disposed. */
export interface AuthorizationServer extends AsyncDisposable {
  readonly issuer: string;
  readonly key: SigningKey;
  /** An access token from the token endpoint, by the client credentials grant. */
  readonly token: (options?: { resource?: string; scope?: string }) => Promise<string>;
  /** A token of the test's own, signed with the server's key unless told otherwise. */
  readonly forge: (
    claims: Readonly<Record<string, unknown>>,
    options?: { key?: SigningKey; typ?: string },
  ) => Promise<string>;
  /** Takes another key into use, and forgets the old one. */
  readonly rotate: () => Promise<void>;
  /** Answers nothing but errors until it is called with false. */
  readonly breakDown: (isDown: boolean) => void;
  /** How often the keys were fetched. */
  readonly keyFetches: () => number;
}

/** A key pair of the test's own. */
export async function makeKey(kid: string): Promise<SigningKey & { readonly jwk: Record<string, unknown> }> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { kid, privateKey, jwk: { ...await exportJWK(privateKey), kid, alg: "ES256", use: "sig" } };
}

const credentials = { id: "agent", secret: "a secret of the client's" };

/** Starts it. `resource` is the audience of its tokens. */
export async function startAuthorizationServer(resource: string): Promise<AuthorizationServer> {
  // It asks for permissions as it loads, and plain `deno test` gives none.
  const { default: Provider } = await import("oidc-provider");
  let isDown = false;
  let fetches = 0;
  let handle: (request: unknown, response: unknown) => unknown = () => {};
  const server = createServer((request, response) => {
    if (request.url?.includes("jwks") === true) fetches++;
    if (!isDown) return handle(request, response);
    response.statusCode = 503;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const issuer = `http://127.0.0.1:${address.port}`;

  let generation = 0;
  let key: SigningKey;
  const rotate = async () => {
    const made = await makeKey(`key-${++generation}`);
    key = made;
    const provider = new Provider(issuer, {
      jwks: { keys: [made.jwk] },
      clients: [{
        client_id: credentials.id,
        client_secret: credentials.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: "ES256",
      }],
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context: unknown, audience: string) => ({
            scope: "mcp:read mcp:other",
            audience,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "ES256" } },
          }),
        },
      },
    });
    handle = provider.callback();
  };
  await rotate();

  return {
    issuer,
    get key() {
      return key;
    },
    async token({ resource: wanted = resource, scope = "mcp:read" } = {}) {
      const basic = btoa(
        `${credentials.id}:${encodeURIComponent(credentials.secret).replaceAll("%20", "+")}`,
      );
      const response = await fetch(`${issuer}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource: wanted, scope }),
      });
      const answer = await response.json();
      if (typeof answer.access_token !== "string") throw new Error(`no token: ${JSON.stringify(answer)}`);
      return answer.access_token;
    },
    async forge(claims, options = {}) {
      const signing = options.key ?? key;
      const now = Math.floor(Date.now() / 1000);
      return await new SignJWT({ iss: issuer, aud: resource, sub: "mallory", exp: now + 300, ...claims })
        .setProtectedHeader({ alg: "ES256", kid: signing.kid, typ: options.typ ?? "at+jwt" })
        .sign(signing.privateKey);
    },
    rotate,
    breakDown: (down) => {
      isDown = down;
    },
    keyFetches: () => fetches,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
