/**
 * Opens the byte stream to a PostgreSQL server: a Unix socket or TCP, and TLS in libpq's sslmodes.
 * https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
 */
import { type Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { CallError } from "../common/errors.ts";
import { findDistrust, readCertificates, sentChain } from "./certificate_chain.ts";
import {
  ConnectionError,
  describeConnectFailure,
  nameAddress,
  permissionHint,
  seconds,
} from "./database_errors.ts";
import type { ServerAddress, SslMode } from "./settings.ts";

/** How TLS is to be used. */
export interface TlsSettings {
  readonly sslMode: SslMode;
  /** PEM text of the certificate authorities to trust. */
  readonly sslRootCert: string | undefined;
}

/** SSLRequest: a length of 8 and the code 80877103. */
const sslRequest = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47);

/** When to stop trying. */
export interface SocketOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until there is a socket, TLS included. */
  readonly timeoutMs: number;
}

/** The certificate, or the talk before it, was not what the sslmode asks for. */
class TlsFailure extends Error {}

/**
 * Connects. Throws {@linkcode ConnectionError}; an aborted `signal` rejects with its reason.
 * Nobody listens to the socket's errors afterwards: the caller must, at once.
 */
export async function openSocket(
  address: ServerAddress,
  { sslMode, sslRootCert }: TlsSettings,
  { signal, timeoutMs }: SocketOptions,
): Promise<net.Socket> {
  await checkPermission(address);
  const timeout = AbortSignal.timeout(timeoutMs);
  const abort = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const open = async (): Promise<net.Socket> => {
    const plain = await connect(address, abort);
    if (sslMode === "disable" || address.host.startsWith("/")) return plain;
    try {
      return await secure(plain, address, { sslMode, sslRootCert }, abort);
    } catch (error) {
      plain.destroy();
      // As libpq does: prefer means TLS if it works.
      if (sslMode === "prefer" && !abort.aborted) return await connect(address, abort);
      throw error;
    }
  };
  try {
    return await open();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (timeout.aborted) {
      throw new ConnectionError(
        new CallError(
          "unavailable",
          `Cannot connect to ${nameAddress(address)} as it did not answer within ${seconds(timeoutMs)}`,
          {
            hint: "an operator must check DB_HOST and DB_PORT, or DATABASE_URL, and the network",
            cause: error,
          },
        ),
      );
    }
    throw new ConnectionError(
      error instanceof TlsFailure
        ? new CallError(
          "unavailable",
          `Cannot connect securely to ${nameAddress(address)} with sslmode ${sslMode} as ${error.message}`,
          {
            hint: "an operator must check DB_SSLMODE, DB_SSLROOTCERT and the server's certificate",
            cause: error,
          },
        )
        : describeConnectFailure(error, address),
    );
  }
}

/** Asks Deno first, as a refusal inside node:net is not always an error that can be caught. */
async function checkPermission(address: ServerAddress): Promise<void> {
  const { host, port } = address;
  const path = socketPath(address);
  const wanted: Deno.PermissionDescriptor[] = path !== undefined
    ? [{ name: "read", path }, { name: "write", path }]
    : [{ name: "net", host: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}` }];
  for (const descriptor of wanted) {
    if ((await Deno.permissions.query(descriptor)).state !== "granted") {
      throw new ConnectionError(
        new CallError(
          "unavailable",
          `Cannot connect to ${nameAddress(address)} as this program was not given permission for it`,
          { hint: permissionHint(address) },
        ),
      );
    }
  }
}

/** Resolves when `socket` emits `event`; destroys it when it fails or `abort` says so. */
function until(socket: net.Socket, event: string, abort: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (error: unknown) => {
    // A destroyed socket may still have an error to tell.
    socket.on("error", () => {});
    socket.destroy();
    reject(error);
  };
  const aborted = () => fail(abort.reason);
  const closed = () => fail(Object.assign(new Error("closed"), { code: "ECONNRESET" }));
  if (abort.aborted) aborted();
  abort.addEventListener("abort", aborted);
  socket.once(event, resolve);
  socket.once("error", fail);
  socket.once("close", closed);
  return promise.finally(() => {
    abort.removeEventListener("abort", aborted);
    socket.removeListener(event, resolve);
    socket.removeListener("close", closed);
    // An error that comes between this step and the next must not be uncaught; the next step sees the close.
    socket.on("error", () => {});
    socket.removeListener("error", fail);
  });
}

function socketPath({ host, port }: ServerAddress): string | undefined {
  return host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : undefined;
}

async function connect(address: ServerAddress, abort: AbortSignal): Promise<net.Socket> {
  const path = socketPath(address);
  const socket = path === undefined
    ? net.connect({ host: address.host, port: address.port })
    : net.connect({ path });
  await until(socket, "connect", abort);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 60_000);
  return socket;
}

async function secure(
  plain: net.Socket,
  address: ServerAddress,
  { sslMode, sslRootCert }: TlsSettings,
  abort: AbortSignal,
): Promise<net.Socket> {
  if (sslMode === "verify-ca" && sslRootCert === undefined) {
    // Any public authority certifies anybody: without the name such a certificate says nothing.
    throw new TlsFailure("no certificate authority is set");
  }
  let answer: Buffer | undefined;
  const onAnswer = (chunk: Buffer) => {
    answer = chunk;
    plain.pause();
  };
  plain.once("data", onAnswer);
  const answered = until(plain, "data", abort);
  plain.write(sslRequest);
  await answered;
  // What comes with the answer was not protected and is not to be taken for the server's word (CVE-2021-23222).
  if (answer?.length !== 1) throw new TlsFailure("the server's answer to SSLRequest is not PostgreSQL's");
  if (answer[0] === 0x4e) {
    if (sslMode !== "prefer") throw new TlsFailure("the server does not offer TLS");
    plain.resume();
    return plain;
  }
  if (answer[0] !== 0x53) throw new TlsFailure("the server's answer to SSLRequest is not PostgreSQL's");

  const { host } = address;
  // As libpq: with an authority at hand, require verifies the chain.
  const verify = sslMode === "verify-ca" || sslMode === "verify-full" ||
    (sslMode === "require" && sslRootCert !== undefined);
  const options: tls.ConnectionOptions = {
    socket: plain,
    // An IP address is no server name (RFC 6066), and is compared with the certificate's IP addresses alone.
    host,
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: verify,
    ...(sslRootCert === undefined ? {} : { ca: sslRootCert }),
    ...(sslMode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
  };
  try {
    const secured = tls.connect(options);
    await until(secured, "secureConnect", abort);
    if (verify && !secured.authorized) {
      secured.destroy();
      throw new TlsFailure("its certificate is not trusted");
    }
    if (verify && sslRootCert !== undefined) {
      // Deno adds `ca` to the authorities that it trusts by default; libpq's sslrootcert replaces them.
      const distrust = findDistrust(
        sentChain(secured.getPeerX509Certificate()),
        readCertificates(sslRootCert) ?? [],
      );
      if (distrust !== undefined) {
        secured.destroy();
        throw new TlsFailure(distrust);
      }
    }
    return secured;
  } catch (error) {
    if (abort.aborted || error instanceof TlsFailure) throw error;
    throw new TlsFailure(tlsReason(error), { cause: error });
  }
}

/** OpenSSL's and Node's codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
function tlsReason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "its certificate is for another host";
    case "CERT_HAS_EXPIRED":
      return "its certificate has expired";
    case "CERT_NOT_YET_VALID":
      return "its certificate is not valid yet";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "its certificate is from an authority that is not trusted";
    case "ECONNRESET":
    case "EPIPE":
      return "the server closed the connection during the TLS handshake";
    default:
      return "the TLS handshake failed";
  }
}
