/**
 * What a phase is put upon: one server of our own, or the nodes of a cluster over an engine of our own. Used
 * by run.ts; faults.ts strikes it.
 */
import { OwnEngine } from "./own-engine.ts";
import { OwnServer, type OwnServerSetting } from "./own-server.ts";
import type { Random } from "./random.ts";
import type { ServerUnderTest } from "./server.ts";

const NODES = 2;

export class Stage {
  /** null: it is no cluster. */
  readonly engine: OwnEngine | null;
  readonly #nodes: OwnServer[] = [];

  private constructor(engine: OwnEngine | null) {
    this.engine = engine;
  }

  static async start(setting: OwnServerSetting, isCluster: boolean): Promise<Stage> {
    const stage = new Stage(isCluster ? await OwnEngine.start() : null);
    const { engine } = stage;
    try {
      for (let at = 0; at < (engine === null ? 1 : NODES); at++)
        stage.#nodes.push(
          await OwnServer.start(engine === null ? setting : { ...setting, more: () => cluster(engine, at) }),
        );
      return stage;
    } catch (error) {
      await stage.dispose();
      throw error;
    }
  }

  get servers(): readonly ServerUnderTest[] {
    return this.#nodes.map(({ server }) => server);
  }

  /** One of them, to be struck. */
  node(random: Random): OwnServer {
    const [only] = this.#nodes;
    return this.#nodes.length === 1 && only !== undefined ? only : random.pick(this.#nodes);
  }

  /** False: one of them ended, and nobody meant it to. */
  get isUp(): boolean {
    return this.#nodes.every(({ isUp }) => isUp);
  }

  /** The ends of the logs of those that do not run. */
  async lastWords(): Promise<readonly string[]> {
    const down = this.#nodes.filter(({ isRunning }) => !isRunning);
    return (await Promise.all(down.map((node) => node.lastWords()))).flat();
  }

  async largestWorker(): Promise<number> {
    return Math.max(...(await Promise.all(this.#nodes.map((node) => node.largestWorker()))));
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.dispose()));
    await this.engine?.dispose();
  }
}

const cluster = ({ port }: OwnEngine, at: number): string => `
[cluster]
engine = "redis://127.0.0.1:${port}"
node = "verify-${at}"
engine_timeout = "1s"
`;
