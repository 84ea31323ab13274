/**
 * Redis and WebSockets: what is PUBLISHed to the Redis channel `room:NAME` goes to every socket at
 * /redis/NAME, and what a socket sends is PUBLISHed there. One subscription of Redis for each room and
 * worker, however many sockets.
 *
 *   [[location]]
 *   match = "~ ^/redis/(?<room>[\\w-]{1,64})$"
 *   handler = "redis.ts"
 */
import { RedisClient } from "bun";
import type { Socket, WebSocketHandler } from "sluice";

const REDIS = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
const publisher = new RedisClient(REDIS);
const rooms = new Map<string, Room>();

/** Everybody of this worker in one room. */
class Room {
  readonly channel: string;
  readonly opened: Promise<void>;
  readonly #sockets = new Set<Socket<Room>>();
  // It would come back to Redis without its subscription. So the sockets are closed, and come back to a new
  // room.
  readonly #subscriber = new RedisClient(REDIS, { autoReconnect: false });

  static of(channel: string): Room {
    const room = rooms.get(channel) ?? new Room(channel);
    rooms.set(channel, room);
    return room;
  }

  constructor(channel: string) {
    this.channel = channel;
    this.#subscriber.onclose = () => this.#close("redis is away; come back");
    this.opened = this.#open();
  }

  add(socket: Socket<Room>): void {
    this.#sockets.add(socket);
  }

  remove(socket: Socket<Room>): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) this.#close("");
  }

  async #open(): Promise<void> {
    await this.#subscriber.connect();
    await this.#subscriber.subscribe(this.channel, (text) => {
      for (const socket of this.#sockets) socket.send(text);
    });
  }

  #close(why: string): void {
    if (rooms.get(this.channel) === this) rooms.delete(this.channel);
    this.#subscriber.onclose = null;
    this.#subscriber.close();
    for (const socket of this.#sockets) socket.close(1013, why);
  }
}

export const websocket: WebSocketHandler<Room> = {
  async open(socket, { params }) {
    const room = Room.of(`room:${params["room"]}`);
    socket.data = room;
    room.add(socket);
    await room.opened;
    socket.send("ready");
  },
  async message(socket, data) {
    if (typeof data === "string") await publisher.publish(socket.data.channel, data);
  },
  close(socket) {
    socket.data.remove(socket);
  },
};
