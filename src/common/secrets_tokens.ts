/** Tokens that their issuers gave a beginning of their own: what is left is that beginning. Lengths are the issuers'. */

const BEGINNINGS = [
  // GitLab: deploy, runner, feed, trigger, agent, job and mail tokens.
  String.raw`(?:gl(?:dt|rtr?|ft|ptt|agent|imt|soat|oas|ffct)-|GR1348941)(?=[\w-]{20})`,
  String.raw`glcbt-(?=[0-9a-fA-F]{1,5}_[\w-]{20})`,
  // Hugging Face, Groq, Replicate, Perplexity, xAI.
  String.raw`hf_(?=[A-Za-z]{34}(?!\w))`,
  String.raw`gsk_(?=[A-Za-z0-9]{52}(?!\w))`,
  String.raw`r8_(?=[A-Za-z0-9]{37}(?!\w))`,
  String.raw`pplx-(?=[A-Za-z0-9]{48}(?!\w))`,
  String.raw`xai-(?=[A-Za-z0-9]{80}(?!\w))`,
  // Databricks, Linear, New Relic, Grafana, PlanetScale, Doppler.
  String.raw`dapi(?=[0-9a-f]{32}(?!\w))`,
  String.raw`lin_api_(?=[A-Za-z0-9]{40})`,
  String.raw`NRAK-(?=[A-Z0-9]{27}(?!\w))`,
  String.raw`glsa_(?=[A-Za-z0-9]{32}_[0-9a-fA-F]{8})`,
  String.raw`glc_(?=[A-Za-z0-9+/]{32})`,
  String.raw`pscale_(?:pw|tkn|oauth)_(?=[\w.-]{32})`,
  String.raw`dp\.(?:ct|pt|st|sa|scim|audit)\.(?=[\w.-]{40})`,
  // Fly, Square, Google, Bitbucket, Sentry, Pulumi, Docker Swarm.
  String.raw`fm[12][ar]?_(?=[\w+/-]{40})`,
  String.raw`sq0(?:csp-(?=[\w-]{43})|atp-(?=[\w-]{22}))`,
  String.raw`GOCSPX-(?=[\w-]{28})`,
  String.raw`ATBB(?=[A-Za-z0-9]{32}(?!\w))`,
  String.raw`sntry(?:s_(?=eyJ[\w+/=-]{20})|u_(?=[0-9a-f]{64}))`,
  String.raw`pul-(?=[0-9a-f]{40}(?!\w))`,
  String.raw`SWMTKN-1-(?=[0-9a-z]{40,60}-[0-9a-z]{25})`,
  // Tailscale, Figma, Postman, RubyGems, Supabase.
  String.raw`tskey-(?:auth|api|client)-(?=[\w-]{20})`,
  String.raw`figd_(?=[\w-]{40})`,
  String.raw`PMAK-(?=[0-9a-f]{24}-[0-9a-f]{34})`,
  String.raw`rubygems_(?=[0-9a-f]{48})`,
  String.raw`sbp_(?=[0-9a-f]{40}(?!\w))`,
];
const TOKEN = new RegExp(`(?<![\\w.-])(${BEGINNINGS.join("|")})[\\w.+/=-]{20,4096}`, "g");

const SHAPES: readonly (readonly [pattern: RegExp, left: string])[] = [
  [TOKEN, "$1***"],
  // Terraform Cloud, Telegram's bots, Google's refresh tokens.
  [/(?<![\w.-])([A-Za-z0-9]{14}\.atlasv1\.)[\w-]{60,128}/g, "$1***"],
  [/(?<![\w.:-])(\d{8,10}:)AA[\w-]{33}(?![\w-])/g, "$1***"],
  [/(?<![\w./:-])(1\/\/0)[A-Za-z0-9][\w-]{38,512}/g, "$1***"],
  // The secret beside an AWS key that is masked already, or after its name.
  [/((?:AKIA|ASIA)\*{3}["']?[\s,:;|/]{1,4}["']?)[A-Za-z0-9+/]{40}(?![\w+/=])/g, "$1***"],
  [/(\bsecret[ _-]?access[ _-]?key["']?[ \t]{1,4}["']?)[A-Za-z0-9+/]{40}(?![\w+/=])/gi, "$1***"],
];

/** `text` with these masked. */
export function maskTokens(text: string): string {
  return SHAPES.reduce((masked, [pattern, left]) => masked.replace(pattern, left), text);
}
