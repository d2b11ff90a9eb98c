/** The release notes of a version: its section of the changelog. */

/**
 * The text below `## VERSION` up to the next section.
 *
 * @throws {Error} when the changelog has no such section
 */
export function releaseNotes(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.match(/^\[?([^\]\s]+)/)?.[1] === version);
  if (section === undefined) throw new Error(`CHANGELOG.md has no section "## ${version}"`);
  return section.slice(section.indexOf("\n") + 1).trim() + "\n";
}
