// Reading tables of a TOML file whose fields are known: what is missing, wrong or not known is
// an error that says where.

export class Table {
  private readonly values: Record<string, unknown>;
  private readonly left: Set<string>;
  readonly where: string;

  constructor(values: Record<string, unknown>, where: string) {
    this.values = values;
    this.left = new Set(Object.keys(values));
    this.where = where;
  }

  static of(value: unknown, where: string): Table {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where} is not a table`);
    return new Table(value as Record<string, unknown>, where);
  }

  /** The value itself, or nothing. */
  take(field: string): unknown {
    this.left.delete(field);
    return this.values[field];
  }

  text(field: string, otherwise?: string): string {
    const value = this.take(field) ?? otherwise;
    if (typeof value !== "string") this.fail(field, "a text");
    return value;
  }

  maybeText(field: string): string | undefined {
    return this.take(field) === undefined ? undefined : this.text(field);
  }

  integer(field: string, otherwise?: number): number {
    const value = this.take(field) ?? otherwise;
    if (typeof value !== "number" || !Number.isSafeInteger(value)) this.fail(field, "an integer");
    return value;
  }

  flag(field: string): boolean {
    const value = this.take(field) ?? false;
    if (typeof value !== "boolean") this.fail(field, "true or false");
    return value;
  }

  texts(field: string): string[] {
    return this.list(field).map((value) => (typeof value === "string" ? value : this.fail(field, "a list of texts")));
  }

  list(field: string): unknown[] {
    const value = this.take(field) ?? [];
    return Array.isArray(value) ? value : this.fail(field, "a list");
  }

  tables<T>(field: string, read: (table: Table) => T): T[] {
    return this.list(field).map((value, number) => {
      const table = Table.of(value, `${this.where} ${field}[${number}]`);
      const result = read(table);
      table.end();
      return result;
    });
  }

  maybeTable<T>(field: string, read: (table: Table) => T): T | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    const table = Table.of(value, `${this.where} ${field}`);
    const result = read(table);
    table.end();
    return result;
  }

  fail(field: string, what: string): never {
    throw new Error(`${this.where}: ${field} is not ${what}`);
  }

  /** Everything that was given has been read. */
  end(): void {
    for (const field of this.left) throw new Error(`${this.where}: nothing is called ${field}`);
  }
}
