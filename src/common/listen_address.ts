/** Where `--http` listens. */
import { StartError } from "./errors.ts";

/** A host and a port to listen on. */
export interface ListenAddress {
  /** A name or an IP address, without brackets. */
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

const loopback = "127.0.0.1";
const usualPort = 8080;

/** Reads `HOST:PORT`, `:PORT`, `PORT` or nothing. Throws {@linkcode StartError} for anything else. */
export function parseListenAddress(text: string): ListenAddress {
  if (text === "") return { hostname: loopback, port: usualPort };
  const parts = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))?:)?(\d{1,9})$/.exec(text);
  if (parts === null) {
    throw new StartError("--http takes HOST:PORT, :PORT or PORT, such as 127.0.0.1:8080 or [::1]:8080");
  }
  const port = Number(parts[3]);
  if (port > 65_535) {
    throw new StartError("--http takes a port from 1 to 65535, or 0 to let the system choose");
  }
  return { hostname: parts[1] ?? parts[2] ?? loopback, port };
}

/** Whether only this machine can reach the address. A name other than `localhost` may resolve to anything. */
export function isLoopback(hostname: string): boolean {
  return hostname === "::1" || hostname.toLowerCase() === "localhost" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** The address as a URL has it. */
export function authority({ hostname, port }: ListenAddress): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
