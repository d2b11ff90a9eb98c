/** Whether objects may have that name, as most kinds want it: a DNS subdomain, https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
export function isObjectName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(name);
}
