/** Where a request's body ends must be told in one way alone, or a proxy in front may see another end than we do. */

import type { HttpRequest } from "./http_request.ts";

/** Why a request is refused, and the status to refuse it with. */
export interface FramingRefusal {
  readonly status: 400 | 501;
  readonly reason: "framing";
  readonly message: string;
}

/** Checks how the body is delimited, https://www.rfc-editor.org/rfc/rfc9112#section-6.1; undefined when it may go on. */
export function refuseByFraming(request: HttpRequest): FramingRefusal | undefined {
  const coding = request.headers.get("transfer-encoding");
  if (coding === null) return undefined;
  if (coding.trim().toLowerCase() !== "chunked") {
    return {
      status: 501,
      reason: "framing",
      message: "The only Transfer-Encoding that is understood is chunked",
    };
  }
  if (!request.headers.has("content-length")) return undefined;
  return {
    status: 400,
    reason: "framing",
    message: "A request must not have both a Transfer-Encoding and a Content-Length",
  };
}
