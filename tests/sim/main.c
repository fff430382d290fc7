/* The simulator alone, without the rest of the program: what the planted variants link. */
#include "simulator/simulator.h"

int main(int argc, char **argv) {
    return simulator_main(argc, argv);
}
