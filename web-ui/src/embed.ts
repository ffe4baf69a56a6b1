import "./app/theme.css";
import "./app/base.css";
import "./app/theme.svelte";
import { mount } from "svelte";
import Embed from "./app/Embed.svelte";

mount(Embed, { target: document.getElementById("app")! });
