/**
 * Tells tsc that everything in systemd/ is text to us, whatever its suffix: installed-files.ts embeds those
 * files with `with { type: "text" }`.
 */
declare module "../../systemd/*" {
  const text: string;
  export default text;
}
