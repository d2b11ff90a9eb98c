/**
 * The demo's acts on real parts, each where what it needs is at hand; one line says what is skipped, and why.
 *
 * What is at hand: `PROMETHEUS_URL`, or the program in `PROMETHEUS_BIN` or on `PATH`; the programs of a control plane
 * in `KUBEBUILDER_ASSETS`, or a kubeconfig whose current context answers. Where PostgreSQL's programs are there as well
 * (`POSTGRES_BIN` or on `PATH`), the story is played on all three.
 */
import { configuredCommand, inheritedEnvironment, type ProgramName } from "../configuration.ts";
import { Screen, terminal } from "../screen.ts";
import {
  clusterQuestions,
  metricQuestions,
  ownClusterQuestions,
  ownMetricQuestions,
  platformQuestions,
} from "./further_questions.ts";
import { type Act, DemoError, play } from "./session.ts";

const titles: Readonly<Record<Exclude<ProgramName, "postgres">, string>> = {
  prometheus: "prometheus-mcp: answers about services",
  kubernetes: "kubernetes-mcp: why the pod fails, without kubectl and without secrets",
  platform: "platform-mcp: is this service healthy, and if not, why?",
};

// A missing part is no failure here, as it is to the tests of a CI.
Deno.env.delete("CI");
const { startStory, startMetrics, deployServices, storyAvailable } = await import(
  "../../tests/support/story.ts"
);
const { prometheusAvailable } = await import("../../tests/support/prometheus.ts");
const { kubernetesAvailable, startKubernetes } = await import("../../tests/support/kubernetes.ts");
const { SampleService } = await import("../../tests/support/sample_service.ts");

const isSet = (name: string) => (Deno.env.get(name) ?? "") !== "";

/** The variables of this process that belong to one's own backend. */
function own(program: ProgramName): Record<string, string> {
  const stripped = inheritedEnvironment(program);
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !(name in stripped)));
}

/** Whether a program finds all that it needs, by its own `--check`. */
async function checks(program: ProgramName, variables: Readonly<Record<string, string>>): Promise<boolean> {
  const { command, args } = await configuredCommand(false, program);
  const { success } = await new Deno.Command(command, {
    args: [...args, "--check"],
    env: { ...inheritedEnvironment(program), ...variables },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

async function perform(screen: Screen, compiled: boolean): Promise<void> {
  const act = async (act: Act & { readonly program: keyof typeof titles }) => {
    screen.title(titles[act.program]);
    await play(act, screen, compiled);
  };
  await using stack = new AsyncDisposableStack();
  if (storyAvailable && !isSet("PROMETHEUS_URL")) {
    screen.title("An incident on a real PostgreSQL, Prometheus and Kubernetes");
    const ready = screen.begin("starting them, and a service that leaks its database connections");
    const { variables } = stack.use(await startStory());
    ready("done");
    const { PROMETHEUS_URL = "", KUBECONFIG = "" } = variables;
    await act({ program: "prometheus", variables: { PROMETHEUS_URL }, steps: metricQuestions });
    await act({ program: "kubernetes", variables: { KUBECONFIG }, steps: clusterQuestions });
    await act({ program: "platform", variables, steps: platformQuestions });
    return;
  }

  if (isSet("PROMETHEUS_URL")) {
    await act({ program: "prometheus", variables: own("prometheus"), steps: ownMetricQuestions });
  } else if (prometheusAvailable) {
    const ready = screen.begin("starting a Prometheus with a day of three services");
    const { url } = stack.use(await startMetrics(stack.use(new SampleService()), stack));
    ready("done");
    await act({ program: "prometheus", variables: { PROMETHEUS_URL: url }, steps: metricQuestions });
  } else {
    screen.paragraph(
      "Skipped, prometheus-mcp: set PROMETHEUS_URL to your Prometheus, or PROMETHEUS_BIN to the program.",
    );
  }

  if (kubernetesAvailable) {
    const ready = screen.begin("starting a Kubernetes control plane with three services");
    const kubernetes = stack.use(await startKubernetes());
    await deployServices(kubernetes, 'too many connections for role "user_service"');
    ready("done");
    const variables = { KUBECONFIG: kubernetes.kubeconfig };
    await act({ program: "kubernetes", variables, steps: clusterQuestions });
  } else if (await checks("kubernetes", own("kubernetes"))) {
    await act({ program: "kubernetes", variables: own("kubernetes"), steps: ownClusterQuestions });
  } else {
    screen.paragraph(
      "Skipped, kubernetes-mcp: no kubeconfig here whose current context answers, and no KUBEBUILDER_ASSETS.",
    );
  }
  screen.paragraph(
    "Skipped, platform-mcp: its story needs POSTGRES_BIN, PROMETHEUS_BIN and KUBEBUILDER_ASSETS, and PROMETHEUS_URL unset.",
  );
}

try {
  await perform(new Screen(terminal()), Deno.args.includes("--compiled"));
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  Deno.stderr.writeSync(new TextEncoder().encode(`\n${error.message}\n`));
  Deno.exit(1);
}
