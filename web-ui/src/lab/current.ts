// The page's own laboratory: what is open in it stays while somebody looks at another face.

import { Arrangement } from "./arrangement.svelte";
import { Session } from "./session.svelte";

let session: Session | undefined;
let arrangement: Arrangement | undefined;

export const current = (): Session => (session ??= new Session());
export const arranged = (): Arrangement => (arrangement ??= new Arrangement(undefined, "lcd.lab.views"));
