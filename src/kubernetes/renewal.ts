/** What an operator does about credentials that are refused or have expired, by where they come from. */
import { basename } from "node:path";
import type { ExecPlugin, KubeconfigUser } from "./kubeconfig.ts";

/** How to log in again, by the name of the credential plugin. */
const logins: Readonly<Record<string, string>> = {
  "aws": "aws sso login, or your usual login to AWS",
  "aws-iam-authenticator": "aws sso login, or your usual login to AWS",
  "gke-gcloud-auth-plugin": "gcloud auth login",
  "gcloud": "gcloud auth login",
  "kubelogin": "az login, or kubelogin's own login",
  "kubectl-oidc_login": "kubectl oidc-login get-token with the kubeconfig's arguments",
  "doctl": "doctl auth init",
  "tsh": "tsh login",
  "oci": "oci session authenticate",
};

/** For a plugin that gave none, or gave what was refused: it is run again by the next call. */
export function pluginRenewal({ command }: ExecPlugin, context: string): string {
  const login = logins[basename(command).replace(/\.exe$/i, "")] ??
    `kubectl --context ${context} get namespaces`;
  return `the credentials may have expired: run ${login} in a terminal, then ask again`;
}

/** For what stands in the kubeconfig, which is read once, or in files that it names, which are read anew. */
export function kubeconfigRenewal(user: KubeconfigUser, context: string): string {
  if (user.tokenFile !== undefined) {
    return "an operator must renew the token in the file that the kubeconfig names; it is read anew by the next call";
  }
  const presents = user.token !== undefined || user.username !== undefined;
  if (!presents && user.authProvider !== undefined) {
    return `run kubectl --context ${context} get namespaces in a terminal, which renews it; then start this program again`;
  }
  const files = [user.clientCertificate, user.clientKey].every((part) =>
    part !== undefined && "path" in part
  );
  if (!presents && files) {
    return "an operator must renew the client certificate in the files that the kubeconfig names; they are read anew " +
      "by the next call";
  }
  return "an operator must renew them in the kubeconfig, and then start this program again";
}
