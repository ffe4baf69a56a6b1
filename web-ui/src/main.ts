import "./app/theme.css";
import "./app/base.css";
import { mount } from "svelte";
import App from "./app/App.svelte";
import { offline } from "./offline/offline.svelte";

mount(App, { target: document.getElementById("app")! });

// After everything that the first view needs.
if (import.meta.env.PROD) addEventListener("load", () => void offline.start(import.meta.url));
