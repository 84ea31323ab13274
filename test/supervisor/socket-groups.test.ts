/** Main's book of the kernel's reuseport groups, against the kernel's own rules and against the kernel. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  type ListeningSocket,
  listeningSockets,
  ownListeningSockets,
} from "../../src/supervisor/sockets/listening-sockets.ts";
import { type Member, SocketGroups } from "../../src/supervisor/sockets/socket-groups.ts";
import { choiceOf, steer } from "../../src/supervisor/sockets/steering.ts";

const LOCAL = "0100007f:1f90";

/** What sock_reuseport.c does with a listen and a close. */
class KernelArray {
  readonly places: string[] = [];
  /** In the order of listening. */
  readonly listed: string[] = [];

  listen(inode: string): void {
    this.places.push(inode);
    this.listed.push(inode);
  }

  close(inode: string): void {
    const place = this.places.indexOf(inode);
    this.places[place] = this.places.at(-1) ?? "";
    this.places.pop();
    this.listed.splice(this.listed.indexOf(inode), 1);
  }

  readonly read = (): readonly ListeningSocket[] => this.listed.map((inode) => ({ local: LOCAL, inode }));
}

const member = (inode: string): Member => ({ sockets: [{ local: LOCAL, inode }] });

/** Numbers that look random and are the same each time. */
function* dice(seed: number): Generator<number> {
  for (let x = seed; ; ) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    yield x >>> 8;
  }
}

describe.each([1, 2, 3, 5, 8].flatMap((old) => [1, 2, 3, 5, 8].map((young) => [old, young] as const)))(
  "%d old workers, %d new ones",
  (oldCount, youngCount) => {
    test("no named place ever has an old one, but while the only new one moves", () => {
      const roll = dice(oldCount * 100 + youngCount);
      for (let round = 0; round < 50; round++) {
        const kernel = new KernelArray();
        const groups = new SocketGroups(kernel.read);
        groups.know(member("").sockets);
        const old = Array.from({ length: oldCount }, (_, i) => `old ${i}`);
        const young = Array.from({ length: youngCount }, (_, i) => `new ${i}`);
        for (const inode of old) kernel.listen(inode);
        groups.look();
        // A life before: some died and were replaced.
        for (let death = 0; death < round % 4; death++) {
          const victim = old[(roll.next().value ?? 0) % oldCount] ?? "";
          kernel.close(victim);
          groups.look();
          kernel.listen(victim);
          groups.know(member(victim).sockets);
          groups.look();
        }
        for (const inode of young) kernel.listen(inode);
        groups.look();
        const staying = young.map(member);
        const isNew = (place: number): boolean => kernel.places[place]?.startsWith("new") ?? false;
        const named = groups.between(staying, old.map(member));
        expect(named[0]?.places.filter(isNew)).toHaveLength(youngCount);
        let gaps = 0;
        let left = old.map(member);
        for (let next = groups.next(left, staying); next !== null; next = groups.next(left, staying)) {
          const [steering] = next.steering;
          expect(steering?.places.length).toBeGreaterThan(0);
          expect(steering?.places.every(isNew)).toBeTrue();
          kernel.close(next.member.sockets[0]?.inode ?? "");
          const isLast = kernel.places.every((inode) => inode.startsWith("new"));
          if (next.hasGap) gaps++;
          else if (!isLast) expect(steering?.places.every(isNew)).toBeTrue();
          left = left.filter((each) => each !== next?.member);
          groups.look();
        }
        expect(gaps).toBeLessThanOrEqual(youngCount === 1 ? 1 : 0);
        expect(kernel.listed).toEqual(young);
      }
    });
  },
);

describe.skipIf(process.platform !== "linux").each(["127.0.0.1", "::1"])(
  "the kernel's own, %s",
  (hostname) => {
    let listening: { readonly name: string; stop(closeActive: boolean): unknown }[] = [];
    afterEach(() => {
      for (const each of listening) each.stop(true);
      listening = [];
    });

    const listen = (name: string, port: number): number => {
      const server = Bun.serve({ hostname, port, reusePort: true, fetch: () => new Response(name) });
      listening.push({ name, stop: (closeActive) => server.stop(closeActive) });
      return server.port ?? 0;
    };
    /** Who gets new connections. */
    const takers = async (port: number): Promise<readonly string[]> => {
      const host = hostname.includes(":") ? `[${hostname}]` : hostname;
      const ask = async () =>
        await (await fetch(`http://${host}:${port}`, { headers: { connection: "close" } })).text();
      const taken = new Set<string>();
      for (let i = 0; i < 60; i++) taken.add(await ask());
      return [...taken].sort();
    };

    test("the book names the place of each socket, also after others closed", async () => {
      const port = listen("a", 0);
      const groups = new SocketGroups();
      const inodes = new Map<string, ListeningSocket>();
      const follow = (name: string): void => {
        const known = [...inodes.values()].map(({ inode }) => inode);
        const here = ownListeningSockets().filter(({ local }) => local.endsWith(`:${hexOf(port)}`));
        for (const { local, inode } of here) if (!known.includes(inode)) inodes.set(name, { local, inode });
        groups.know([...inodes.values()]);
        groups.look();
      };
      follow("a");
      for (const name of ["b", "c", "d"]) {
        listen(name, port);
        follow(name);
      }
      const close = (name: string): void => {
        listening.find((each) => each.name === name)?.stop(true);
        listening = listening.filter((each) => each.name !== name);
        groups.look();
      };
      const members = (names: string): readonly Member[] =>
        [...names].flatMap((name) =>
          inodes.has(name) ? [{ sockets: [inodes.get(name) as ListeningSocket] }] : [],
        );
      const only = async (names: string, others: string): Promise<readonly string[]> => {
        expect(steer(ownListeningSockets(), groups.between(members(names), members(others)))).toBeNull();
        return await takers(port);
      };
      expect(await only("cd", "ab")).toEqual(["c", "d"]);
      expect(await only("a", "bcd")).toEqual(["a"]);
      close("b");
      expect(await only("d", "ac")).toEqual(["d"]);
      listen("e", port);
      follow("e");
      close("a");
      for (const name of ["c", "d", "e"]) expect(await only(name, "cde".replace(name, ""))).toEqual([name]);
      expect(steer(ownListeningSockets(), groups.free(members("c")))).toBeNull();
      expect(await takers(port)).toEqual(["c", "d", "e"]);
    });

    test("sockets are listed in the order in which they began to listen", () => {
      const port = listen("0", 0);
      for (const name of ["1", "2", "3"]) listen(name, port);
      const mine = ownListeningSockets().filter(({ local }) => local.endsWith(`:${hexOf(port)}`));
      // Descriptors are given out in order, from the lowest that is free: these were.
      const byDescriptor = mine.toSorted((a, b) => a.descriptor - b.descriptor).map(({ inode }) => inode);
      const [local = ""] = mine.map((each) => each.local);
      const listed = listeningSockets([local]).filter((each) => each.local === local);
      expect(listed.map(({ inode }) => inode)).toEqual(byDescriptor);
    });
  },
);

const hexOf = (port: number): string => port.toString(16).padStart(4, "0");

test("a choice among places is a program that returns each of them", () => {
  expect(choiceOf([7])).toEqual([[0x06, 0, 7]]);
  const program = choiceOf([2, 5, 9]);
  expect(program.filter(([code]) => code === 0x06).map(([, , place]) => place)).toEqual([2, 5, 9]);
  expect(program[1]).toEqual([0x94, 0, 3]);
});
