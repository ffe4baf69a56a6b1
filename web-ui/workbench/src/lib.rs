//! What the page needs beside the simulator.
