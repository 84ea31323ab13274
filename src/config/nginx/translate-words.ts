/** Words as steps and maps of our own file want them. Used by translate-*.ts. */

/** A plain word as it is, anything else in double quotes. */
export const quotedWord = (text: string): string =>
  /^[\w.$/:@%+,*?!^|()[\]{}=~-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
