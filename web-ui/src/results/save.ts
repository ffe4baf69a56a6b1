// Gives the reader a file.

export function save(content: Blob | Uint8Array | string, name: string, type = "text/plain") {
  const blob = content instanceof Blob ? content : new Blob([content as BlobPart], { type });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken it by the time that this runs.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A name that any file system takes. */
export const fileName = (text: string): string => text.replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "") || "lcd";
