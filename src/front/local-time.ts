/**
 * Times of log lines in the zone of the machine. Lines of one second share their text: making it anew costs
 * ten times the line.
 */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export class LocalTime {
  #second = Number.NaN;
  #common = "";
  #iso = "";

  /** `10/Oct/2000:13:55:36 -0700`. */
  common(ms: number): string {
    this.#turnTo(ms);
    return this.#common;
  }

  /** `2000-10-10T13:55:36-07:00`. */
  iso(ms: number): string {
    this.#turnTo(ms);
    return this.#iso;
  }

  #turnTo(ms: number): void {
    const second = Math.floor(ms / 1000);
    if (second === this.#second) return;
    this.#second = second;
    const date = new Date(second * 1000);
    const day = two(date.getDate());
    const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
    const offset = -date.getTimezoneOffset();
    const sign = offset < 0 ? "-" : "+";
    const hours = two(Math.floor(Math.abs(offset) / 60));
    const minutes = two(Math.abs(offset) % 60);
    const year = date.getFullYear();
    this.#common = `${day}/${MONTHS[date.getMonth()]}/${year}:${clock} ${sign}${hours}${minutes}`;
    this.#iso = `${year}-${two(date.getMonth() + 1)}-${day}T${clock}${sign}${hours}:${minutes}`;
  }
}

const two = (value: number): string => String(value).padStart(2, "0");
