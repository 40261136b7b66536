//! A callback that is dropped when its handle begins to close.

use std::cell::RefCell;
use std::rc::Rc;

/// What a handle calls. It belongs to the handle's owner, who may go away long before libuv has closed the handle, or
/// while the callback runs.
pub struct OwnedCallback(RefCell<Option<Rc<dyn Fn()>>>);

impl OwnedCallback {
    pub fn new(callback: impl Fn() + 'static) -> Self {
        Self(RefCell::new(Some(Rc::new(callback))))
    }

    /// Calls it, unless it was forgotten.
    pub fn call(&self) {
        let callback = self.0.borrow().clone();
        if let Some(callback) = callback {
            callback();
        }
    }

    /// Drops it: at once, or when the call that runs has returned.
    pub fn forget(&self) {
        self.0.borrow_mut().take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_callback_may_forget_itself() {
        let calls = Rc::new(Cell::new(0));
        let owned = Rc::new(OwnedCallback::new(|| ()));
        let (of_callback, counter) = (Rc::clone(&owned), Rc::clone(&calls));
        owned.0.replace(Some(Rc::new(move || {
            counter.set(counter.get() + 1);
            of_callback.forget();
        })));
        owned.call();
        owned.call();
        assert_eq!(
            (calls.get(), Rc::strong_count(&calls), Rc::strong_count(&owned)),
            (1, 1, 1)
        );
    }
}
