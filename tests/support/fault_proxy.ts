/**
 * A TCP proxy between a program and a real backend, which does to their connection what networks and dying servers do.
 * It knows nothing of what is said, so that TLS passes as well.
 */
import { type Buffer } from "node:buffer";
import net from "node:net";

/** What happens to what the backend sends. */
export type Fault =
  | "refuse" // every connection is accepted and ended at once
  | "reset" // RST
  | "stall" // nothing more, and nobody hangs up
  | "drip" // one byte a second
  | "garbage" // as many other bytes
  | "half-close"; // FIN, while what the program sends is still taken

/** One connection of the program, and its other half. */
interface Link {
  readonly near: net.Socket;
  readonly far: net.Socket;
  /** What the backend sends goes its way no more. */
  isFaulty: boolean;
  /** Nothing gets through in either direction. */
  isLost: boolean;
}

/** The proxy, on a port of the loopback interface. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #links = new Set<Link>();
  readonly #timers = new Set<ReturnType<typeof setInterval>>();
  #fault: Fault | undefined;
  /** Bytes of the backend that still pass. */
  #left = 0;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = net.createServer({ allowHalfOpen: true }, (near) => this.#join(near, target));
  }

  /** Listens, and passes everything on. */
  static async start(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    proxy.#server.once("error", reject);
    proxy.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy listens no more");
    return address.port;
  }

  /** From here on each connection suffers it, once the backend has sent `afterBytes` more over all of them. */
  arm(fault: Fault, afterBytes = 0): void {
    this.#fault = fault;
    this.#left = afterBytes;
    if (fault !== "refuse") return;
    for (const { near } of this.#links) near.resetAndDestroy();
  }

  /** New connections pass again. One that has suffered stays as it is. */
  disarm(): void {
    this.#fault = undefined;
  }

  /** What is connected now leads nowhere from here on, and nobody is told; new connections pass. */
  lose(): number {
    for (const link of this.#links) link.isLost = true;
    return this.#links.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { near } of this.#links) near.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #join(near: net.Socket, target: { readonly host: string; readonly port: number }): void {
    if (this.#fault === "refuse") return void near.resetAndDestroy();
    const far = net.connect({ ...target, allowHalfOpen: true });
    const link: Link = { near, far, isFaulty: false, isLost: false };
    this.#links.add(link);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#links.delete(link);
        to.destroy();
      });
    }
    near.on("data", (bytes) => {
      if (!link.isLost) far.write(bytes);
    });
    near.on("end", () => {
      if (!link.isLost) far.end();
    });
    far.on("end", () => {
      if (!link.isFaulty && !link.isLost) near.end();
    });
    far.on("data", (bytes: Buffer) => {
      if (link.isFaulty || link.isLost) return;
      if (this.#fault === undefined) return void near.write(bytes);
      const passing = Math.min(this.#left, bytes.length);
      this.#left -= passing;
      if (passing > 0) near.write(bytes.subarray(0, passing));
      if (passing === bytes.length) return;
      link.isFaulty = true;
      this.#suffer(this.#fault, link, bytes.subarray(passing));
    });
  }

  #suffer(fault: Fault, { near, far }: Link, rest: Buffer): void {
    switch (fault) {
      case "refuse":
      case "reset":
        // What has passed must have left, or the reset would overtake it.
        near.write(new Uint8Array(), () => near.resetAndDestroy());
        return;
      case "stall":
        far.pause();
        return;
      case "drip": {
        far.pause();
        let at = 0;
        const timer = setInterval(() => {
          if (near.destroyed || at >= rest.length) {
            clearInterval(timer);
            this.#timers.delete(timer);
          } else near.write(rest.subarray(at, ++at));
        }, 1_000);
        this.#timers.add(timer);
        return;
      }
      case "garbage":
        // The same each time: what a program says of it is written down.
        near.write(rest.map((_, index) => (index * 89 + 37) % 251));
        far.on("data", (bytes: Buffer) => void near.write(bytes.map((_, index) => (index * 97 + 11) % 251)));
        return;
      case "half-close":
        near.end();
    }
  }
}
