//! A serial port: what drivers of a 16550 need of one, and transfers to and from memory, which
//! that did not have. Sending takes no time.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::abi::device as abi;
use crate::world::SERIAL_INPUT_MAX;

/// Bytes of output that are kept; what is sent beyond that is lost.
const OUTPUT_MAX: usize = 4 << 20;
/// The other side is there: carrier, ready, clear to send.
const MODEM_PRESENT: u8 = 0xb0;

/// The serial port.
#[derive(Clone, Debug, Default)]
pub(super) struct Serial {
    input: VecDeque<u8>,
    output: Vec<u8>,
    enabled: u8,
    /// It has become possible to send, and nobody has been told.
    has_become_empty: bool,
    line_control: u8,
    modem_control: u8,
    scratch: u8,
    divisor: [u8; 2],
    pub(super) transfer: Transfer,
}

/// A transfer to or from memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Transfer {
    /// Where it goes on.
    pub(super) address: u64,
    /// Bytes that are left.
    pub(super) length: u32,
    /// How the last one ended.
    pub(super) status: u8,
}

/// What a write to a register is to bring about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// A byte is sent.
    Send(u8),
    /// A transfer begins: the command.
    Transfer(u8),
}

impl Serial {
    /// Whether it asks for an interrupt.
    pub(super) fn is_asserted(&self) -> bool {
        self.cause() != abi::SERIAL_CAUSE_NONE
    }

    fn cause(&self) -> u8 {
        if self.enabled & abi::SERIAL_ON_INPUT != 0 && !self.input.is_empty() {
            abi::SERIAL_CAUSE_INPUT
        } else if self.enabled & abi::SERIAL_ON_EMPTY != 0 && self.has_become_empty {
            abi::SERIAL_CAUSE_EMPTY
        } else {
            abi::SERIAL_CAUSE_NONE
        }
    }

    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// Sends bytes, all of them or, if the output is full, none. Says which.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.has_become_empty = true;
        let fits = !bytes.is_empty() && self.output.len() + bytes.len() <= OUTPUT_MAX;
        if fits {
            self.output.extend(bytes);
        }
        fits
    }

    /// Input arrives; how much of it there is room for.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(SERIAL_INPUT_MAX - self.input.len());
        self.input.extend(&bytes[..taken]);
        taken
    }

    /// How much input there is.
    pub(super) fn waiting(&self) -> usize {
        self.input.len()
    }

    /// Takes the first bytes of the input, as many as there are.
    pub(super) fn take(&mut self, bytes: usize) -> Vec<u8> {
        self.input.drain(..bytes.min(self.input.len())).collect()
    }

    fn sets_divisor(&self) -> bool {
        self.line_control & abi::SERIAL_DIVISOR != 0
    }

    /// What a register reads, if there is one.
    pub(super) fn read(&mut self, port: u16, width: u8) -> Option<u32> {
        let transfer = &self.transfer;
        match (port, width) {
            (abi::SERIAL_DMA_ADDRESS, 4) => return Some(transfer.address as u32),
            (abi::SERIAL_DMA_ADDRESS_HIGH, 4) => return Some((transfer.address >> 32) as u32),
            (abi::SERIAL_DMA_LENGTH, 4) => return Some(transfer.length),
            (_, 1) => {}
            _ => return None,
        }
        let byte = match port {
            abi::SERIAL_DATA if self.sets_divisor() => self.divisor[0],
            abi::SERIAL_ENABLE if self.sets_divisor() => self.divisor[1],
            abi::SERIAL_DATA => self.input.pop_front().unwrap_or(0),
            abi::SERIAL_ENABLE => self.enabled,
            abi::SERIAL_CAUSE => self.tell_cause(),
            abi::SERIAL_LINE_CONTROL => self.line_control,
            abi::SERIAL_MODEM_CONTROL => self.modem_control,
            abi::SERIAL_LINE_STATUS => {
                let ready = if self.input.is_empty() { 0 } else { abi::SERIAL_READY };
                abi::SERIAL_EMPTY | abi::SERIAL_IDLE | ready
            }
            abi::SERIAL_MODEM_STATUS => MODEM_PRESENT,
            abi::SERIAL_SCRATCH => self.scratch,
            abi::SERIAL_DMA_COMMAND => self.transfer.status,
            _ => return None,
        };
        Some(byte.into())
    }

    fn tell_cause(&mut self) -> u8 {
        let cause = self.cause();
        if cause == abi::SERIAL_CAUSE_EMPTY {
            self.has_become_empty = false;
        }
        cause
    }

    /// Writes a register, if there is one.
    pub(super) fn write(&mut self, port: u16, width: u8, value: u32) -> Option<Effect> {
        let transfer = &mut self.transfer;
        let (low, high) = (transfer.address & 0xffff_ffff, transfer.address >> 32);
        match (port, width) {
            (abi::SERIAL_DMA_ADDRESS, 4) => transfer.address = high << 32 | u64::from(value),
            (abi::SERIAL_DMA_ADDRESS_HIGH, 4) => transfer.address = u64::from(value) << 32 | low,
            (abi::SERIAL_DMA_LENGTH, 4) => transfer.length = value,
            (_, 1) => return self.write_byte(port, value as u8),
            _ => {}
        }
        None
    }

    fn write_byte(&mut self, port: u16, value: u8) -> Option<Effect> {
        match port {
            abi::SERIAL_DATA if self.sets_divisor() => self.divisor[0] = value,
            abi::SERIAL_ENABLE if self.sets_divisor() => self.divisor[1] = value,
            abi::SERIAL_DATA => return Some(Effect::Send(value)),
            abi::SERIAL_ENABLE => {
                let new = value & !self.enabled;
                self.enabled = value & (abi::SERIAL_ON_INPUT | abi::SERIAL_ON_EMPTY);
                // It is always empty: whoever begins to ask is told at once.
                self.has_become_empty |= new & abi::SERIAL_ON_EMPTY != 0;
            }
            abi::SERIAL_LINE_CONTROL => self.line_control = value,
            abi::SERIAL_MODEM_CONTROL => self.modem_control = value,
            abi::SERIAL_SCRATCH => self.scratch = value,
            abi::SERIAL_DMA_COMMAND => return Some(Effect::Transfer(value)),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, OUTPUT_MAX, SERIAL_INPUT_MAX, Serial};
    use crate::abi::device as abi;

    #[test]
    fn what_drivers_of_the_original_do_works() {
        let mut serial = Serial::default();
        for (port, value) in [(1, 0), (3, 0x80), (0, 3), (1, 0), (3, 3), (2, 0xc7), (4, 0xb)] {
            assert_eq!(serial.write(abi::SERIAL_FIRST + port, 1, value), None);
        }
        assert_eq!(serial.read(abi::SERIAL_LINE_CONTROL, 1), Some(3));
        assert_eq!(serial.read(abi::SERIAL_LINE_STATUS, 1), Some(0x60));
        assert_eq!(serial.write(abi::SERIAL_DATA, 1, 0x41), Some(Effect::Send(0x41)));
        serial.write(abi::SERIAL_LINE_CONTROL, 1, 0x80);
        assert_eq!(serial.read(abi::SERIAL_DATA, 1), Some(3));
    }

    #[test]
    fn causes_come_in_order_and_are_dealt_with() {
        let mut serial = Serial::default();
        assert!(!serial.is_asserted());
        serial.receive(b"ab");
        assert!(!serial.is_asserted());
        serial.write(abi::SERIAL_ENABLE, 1, 0xff);
        assert_eq!(serial.read(abi::SERIAL_ENABLE, 1), Some(3));
        assert_eq!(serial.read(abi::SERIAL_CAUSE, 1), Some(4));
        assert_eq!(serial.read(abi::SERIAL_LINE_STATUS, 1), Some(0x61));
        let read = [(); 3].map(|()| serial.read(abi::SERIAL_DATA, 1).unwrap());
        assert_eq!(read, [0x61, 0x62, 0]);
        assert_eq!(serial.read(abi::SERIAL_CAUSE, 1), Some(2));
        assert_eq!(serial.read(abi::SERIAL_CAUSE, 1), Some(1));
        assert!(!serial.is_asserted());
        serial.send(b"x");
        assert!(serial.is_asserted());
        serial.write(abi::SERIAL_ENABLE, 1, 0);
        assert!(!serial.is_asserted());
    }

    #[test]
    fn both_directions_are_bounded() {
        let mut serial = Serial::default();
        assert_eq!(serial.receive(&[7; SERIAL_INPUT_MAX - 1]), SERIAL_INPUT_MAX - 1);
        assert_eq!((serial.receive(&[7; 3]), serial.receive(&[7; 3])), (1, 0));
        assert!(serial.send(&[7; OUTPUT_MAX - 1]) && !serial.send(&[7; 2]) && serial.send(&[7]));
        assert!(!serial.send(&[7]));
        assert_eq!(serial.output().len(), OUTPUT_MAX);
    }

    #[test]
    fn an_address_is_two_halves() {
        let mut serial = Serial::default();
        serial.write(abi::SERIAL_DMA_ADDRESS_HIGH, 4, 0x1234_5678);
        serial.write(abi::SERIAL_DMA_ADDRESS, 4, 0x9abc_def0);
        assert_eq!(serial.transfer.address, 0x1234_5678_9abc_def0);
        assert_eq!(serial.read(abi::SERIAL_DMA_ADDRESS_HIGH, 4), Some(0x1234_5678));
        assert_eq!(serial.read(abi::SERIAL_DMA_ADDRESS, 4), Some(0x9abc_def0));
        assert_eq!(serial.read(abi::SERIAL_DMA_ADDRESS, 1), None);
    }
}
