// What a row gives to be drawn. A leaf: rows make charts, write.ts draws them.

export interface Axis {
  readonly label: string;
  /** "tail": shares of 1, of which the ends are of interest: 0.9, 0.99 and 0.999 are as far apart. */
  readonly scale: "linear" | "log" | "tail";
}

export interface Series {
  /** A contender: its colour is the same in all charts. */
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  /** Name of the file, without its ending. */
  readonly file: string;
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}
